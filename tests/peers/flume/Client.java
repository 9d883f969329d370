import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flume.Event;
import org.apache.flume.EventDeliveryException;
import org.apache.flume.FlumeException;
import org.apache.flume.api.RpcClient;
import org.apache.flume.api.RpcClientFactory;
import org.apache.flume.event.EventBuilder;

/** Numbered events through Flume's own client. A line of the ledger is a body that was acknowledged. */
public final class Client {
  private static final String HELP = String.join("\n",
      "--hosts HOST:PORT,...   whom to send to",
      "--type TYPE             default, default_failover or default_loadbalance",
      "--events COUNT          how many events (1000)",
      "--batch COUNT           events of a call; 1 calls append, more appendBatch (100)",
      "--body TEXT             what a body begins with, before its number (event)",
      "--size BYTES            dots are put behind a shorter body (0)",
      "--headers COUNT         headers of an event: n1=v1 ... (1)",
      "--ledger FILE           append bodies that were acknowledged, after each call",
      "--retry MS              after a failure make a new client and call again; without it a failure ends all",
      "--again true            make one batch and send it over and over: then the client itself costs least",
      "--property KEY=VALUE    another property of the client, such as compression-type=deflate");

  private final Properties properties = new Properties();
  private final Map<String, String> options = new HashMap<>();
  private RpcClient client;
  private int failures;

  public static void main(String[] words) throws Exception {
    Client all = new Client();
    for (int i = 0; i < words.length; i++) {
      if (words[i].equals("--help")) {
        System.out.println(HELP);
        return;
      }
      if (!words[i].startsWith("--") || i + 1 == words.length || !HELP.contains(words[i] + " ")) {
        System.err.println("client: \"" + words[i] + "\" is no option with a value; there are\n" + HELP);
        System.exit(2);
      }
      if (words[i].equals("--property")) {
        String[] pair = words[++i].split("=", 2);
        all.properties.setProperty(pair[0], pair[1]);
      } else {
        all.options.put(words[i].substring(2), words[++i]);
      }
    }
    System.exit(all.run() ? 0 : 1);
  }

  private String option(String name, String otherwise) {
    return options.getOrDefault(name, otherwise);
  }

  private int number(String name, int otherwise) {
    return Integer.parseInt(option(name, Integer.toString(otherwise)));
  }

  private boolean run() throws Exception {
    List<String> names = new ArrayList<>();
    for (String host : option("hosts", "").split(",")) {
      String name = "h" + names.size();
      properties.setProperty("hosts." + name, host);
      names.add(name);
    }
    properties.setProperty("hosts", String.join(" ", names));
    properties.setProperty("client.type", option("type", "default"));
    properties.setProperty("batch-size", option("batch", "100"));
    int events = number("events", 1000);
    int batch = number("batch", 100);
    boolean done = true;
    long began = System.nanoTime();
    int acknowledged = 0;
    boolean again = option("again", "false").equals("true");
    List<String> bodies = new ArrayList<>();
    List<Event> made = new ArrayList<>();
    while (acknowledged < events && done) {
      if (!again || made.isEmpty()) {
        bodies = new ArrayList<>();
        while (bodies.size() < batch && acknowledged + bodies.size() < events) {
          bodies.add(body(acknowledged + bodies.size()));
        }
        made = made(bodies);
      }
      done = deliver(made);
      if (done) {
        note(bodies);
        acknowledged += bodies.size();
      }
    }
    close();
    double seconds = (System.nanoTime() - began) / 1e9;
    PrintStream out = System.out;
    out.printf("{\"acknowledged\": %d, \"failures\": %d, \"seconds\": %.3f}%n", acknowledged, failures, seconds);
    return done;
  }

  private String body(int index) {
    String body = option("body", "event") + " " + index;
    char[] dots = new char[Math.max(0, number("size", 0) - body.length())];
    Arrays.fill(dots, '.');
    return body + new String(dots);
  }

  private List<Event> made(List<String> bodies) {
    List<Event> events = new ArrayList<>();
    for (String body : bodies) {
      Map<String, String> headers = new HashMap<>();
      for (int i = 1; i <= number("headers", 1); i++) {
        headers.put("n" + i, "v" + i);
      }
      events.add(EventBuilder.withBody(body.getBytes(StandardCharsets.UTF_8), headers));
    }
    return events;
  }

  /** Until it is acknowledged, or given up. */
  private boolean deliver(List<Event> events) throws InterruptedException {
    while (true) {
      try {
        if (client == null) {
          client = RpcClientFactory.getInstance(properties);
        }
        if (number("batch", 100) == 1) {
          client.append(events.get(0));
        } else {
          client.appendBatch(events);
        }
        return true;
      } catch (EventDeliveryException | FlumeException e) {
        failures++;
        Throwable cause = e.getCause() == null ? e : e.getCause();
        System.err.println("client: " + e.getMessage() + ": " + cause.getMessage());
        close();
        if (number("retry", -1) < 0) {
          return false;
        }
        Thread.sleep(number("retry", -1));
      }
    }
  }

  private void close() {
    if (client != null) {
      try {
        client.close();
      } catch (FlumeException e) {
        System.err.println("client: while closing: " + e.getMessage());
      }
      client = null;
    }
  }

  private void note(List<String> bodies) throws IOException {
    if (options.containsKey("ledger")) {
      Files.write(Path.of(option("ledger", "")), bodies, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
  }
}
