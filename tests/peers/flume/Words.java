import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.text.ParsePosition;
import java.text.SimpleDateFormat;
import java.util.Calendar;
import java.util.Date;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flume.formatter.output.BucketPath;
import org.joda.time.DateTimeZone;
import org.joda.time.format.DateTimeFormat;
import org.joda.time.format.DateTimeFormatter;

/**
 * What the words of properties mean in Java: a question a line, a word and its arguments, all but the word in
 * hexadecimal UTF-8; the answer is a line of the same kind, or "!" and the reason.
 */
public class Words {
    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.US);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        var out = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
        for (String line; (line = in.readLine()) != null; ) {
            out.println(answer(line.split("\t", -1)));
        }
        out.flush();
    }

    static String answer(String[] words) {
        try {
            String[] given = new String[words.length - 1];
            for (int i = 0; i < given.length; i++) {
                byte[] bytes = HexFormat.of().parseHex(words[i + 1]);
                given[i] = new String(bytes, StandardCharsets.UTF_8);
            }
            String said = say(words[0], given, words);
            return HexFormat.of().formatHex(said.getBytes(StandardCharsets.UTF_8));
        } catch (Throwable why) {
            return "!" + why.toString().replaceAll("\\s+", " ");
        }
    }

    static String say(String word, String[] given, String[] raw) throws Exception {
        switch (word) {
            case "decode": {
                var decoder = Charset.forName(given[0]).newDecoder();
                var action = given[1].equals("REPLACE") ? CodingErrorAction.REPLACE
                    : given[1].equals("IGNORE") ? CodingErrorAction.IGNORE : CodingErrorAction.REPORT;
                decoder.onMalformedInput(action).onUnmappableCharacter(action);
                return decoder.decode(ByteBuffer.wrap(HexFormat.of().parseHex(raw[3]))).toString();
            }
            case "encode":
                return HexFormat.of().formatHex(given[1].getBytes(Charset.forName(given[0])));
            case "charset":
                return Charset.forName(given[0]).name();
            case "find":
                return find(given[0], given[1]);
            case "replace":
                return Pattern.compile(given[0]).matcher(given[1]).replaceAll(given[2]);
            case "matches":
                return String.valueOf(Pattern.compile(given[0]).matcher(given[1]).matches());
            case "zone":
                return TimeZone.getTimeZone(given[0]).getOffset(Long.parseLong(given[1])) + "";
            case "simple-format":
                return simple(given[0], given[1]).format(new Date(Long.parseLong(given[2])));
            case "simple-parse": {
                // The whole text has to be read; what is left out comes from 1970-01-01, as in Java.
                var position = new ParsePosition(0);
                Date date = simple(given[0], given[1]).parse(given[2], position);
                return date == null || position.getIndex() < given[2].length() ? "-" : date.getTime() + "";
            }
            case "joda-format":
                return joda(given[0], given[1]).print(Long.parseLong(given[2]));
            case "joda-parse":
                try {
                    return joda(given[0], given[1]).parseMillis(given[2]) + "";
                } catch (IllegalArgumentException why) {
                    return "-";
                }
            case "path":
                return path(given);
            default:
                throw new IllegalArgumentException("no such question: " + word);
        }
    }

    static SimpleDateFormat simple(String pattern, String zone) {
        var format = new SimpleDateFormat(pattern, Locale.US);
        format.setTimeZone(TimeZone.getTimeZone(zone));
        return format;
    }

    static DateTimeFormatter joda(String pattern, String zone) {
        return DateTimeFormat.forPattern(pattern).withLocale(Locale.US)
            .withZone(DateTimeZone.forTimeZone(TimeZone.getTimeZone(zone)));
    }

    /** Each match as start-end of all its groups. */
    static String find(String pattern, String text) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        var out = new StringBuilder();
        while (matcher.find()) {
            for (int group = 0; group <= matcher.groupCount(); group++) {
                boolean took = matcher.start(group) >= 0;
                out.append(group == 0 ? "" : " ").append(took ? matcher.start(group) + "-" + matcher.end(group) : "none");
            }
            out.append('\n');
        }
        return out.toString();
    }

    /** path, zone, rounding value (0: none), its unit, then names and values of headers. */
    static String path(String[] given) {
        Map<String, String> headers = new HashMap<>();
        for (int i = 4; i + 1 < given.length; i += 2) {
            headers.put(given[i], given[i + 1]);
        }
        int unit = given[3].equals("hour") ? Calendar.HOUR_OF_DAY
            : given[3].equals("minute") ? Calendar.MINUTE : Calendar.SECOND;
        int round = Integer.parseInt(given[2]);
        return BucketPath.escapeString(given[0], headers, TimeZone.getTimeZone(given[1]), round > 0, unit, round, false);
    }
}
