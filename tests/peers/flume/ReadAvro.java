import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import org.apache.avro.file.DataFileReader;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;

/** Prints Avro container files, as Apache Avro for Java reads them: the codec of each, then a line an event. */
public class ReadAvro {
    public static void main(String[] paths) throws Exception {
        for (String path : paths) {
            GenericDatumReader<GenericRecord> datums = new GenericDatumReader<>();
            try (DataFileReader<GenericRecord> file = new DataFileReader<>(new File(path), datums)) {
                System.out.println(file.getSchema().getFullName() + " " + file.getMetaString("avro.codec"));
                while (file.hasNext()) {
                    print(file.next());
                }
            }
        }
    }

    private static void print(GenericRecord event) {
        StringBuilder line = new StringBuilder();
        TreeMap<String, String> headers = new TreeMap<>();
        for (Map.Entry<?, ?> header : ((Map<?, ?>) event.get("headers")).entrySet()) {
            headers.put(header.getKey().toString(), header.getValue().toString());
        }
        headers.forEach((name, value) -> line.append(hex(name)).append('=').append(hex(value)).append(' '));
        ByteBuffer body = (ByteBuffer) event.get("body");
        byte[] bytes = new byte[body.remaining()];
        body.duplicate().get(bytes);
        System.out.println(line + hex(bytes));
    }

    private static String hex(String text) {
        return hex(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String hex(byte[] bytes) {
        StringBuilder digits = new StringBuilder();
        for (byte one : bytes) {
            digits.append(String.format("%02x", one));
        }
        return digits.toString();
    }
}
