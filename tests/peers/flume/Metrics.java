import com.sun.net.httpserver.HttpServer;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.StringJoiner;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.apache.flume.Context;
import org.apache.flume.instrumentation.MonitorService;

/** The counters that Flume registers with Java, as its own server shows them, but on loopback only. */
public final class Metrics implements MonitorService {
  private final MBeanServer beans = ManagementFactory.getPlatformMBeanServer();
  private int port;
  private HttpServer server;

  @Override
  public void configure(Context context) {
    port = context.getInteger("port", 41414);
  }

  @Override
  public void start() {
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 8);
    } catch (java.io.IOException e) {
      throw new IllegalStateException("no counters at port " + port, e);
    }
    server.createContext("/metrics", exchange -> {
      byte[] body = groups().getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
  }

  @Override
  public void stop() {
    server.stop(0);
  }

  private String groups() {
    StringJoiner groups = new StringJoiner(",", "{", "}");
    try {
      Set<ObjectName> names = beans.queryNames(new ObjectName("org.apache.flume.*:*"), null);
      for (ObjectName name : names) {
        StringJoiner group = new StringJoiner(",", "{", "}");
        String kind = "";
        for (MBeanAttributeInfo attribute : beans.getMBeanInfo(name).getAttributes()) {
          String value = String.valueOf(beans.getAttribute(name, attribute.getName()));
          kind = attribute.getName().equals("Type") ? value : kind;
          group.add("\"" + attribute.getName() + "\":\"" + value + "\"");
        }
        groups.add("\"" + kind + "." + name.getKeyProperty("type") + "\":" + group);
      }
    } catch (javax.management.JMException e) {
      throw new IllegalStateException(e);
    }
    return groups.toString();
  }
}
