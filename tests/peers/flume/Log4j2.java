import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import org.apache.logging.log4j.Logger;
import org.apache.logging.log4j.ThreadContext;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.config.ConfigurationSource;
import org.apache.logging.log4j.core.config.Configurator;

/** Logs numbered lines with log4j 2, in batches of so many, with one entry of the thread's context. */
public final class Log4j2 {
  public static void main(String[] words) throws Exception {
    String[] host = words[0].split(":");
    String configuration = "<Configuration status='warn'><Appenders>"
        + "<Flume name='out' type='Avro' compress='false' ignoreExceptions='false' batchSize='" + words[2] + "'>"
        + "<Agent host='" + host[0] + "' port='" + host[1] + "'/><PatternLayout pattern='%level %msg' charset='UTF-8'/>"
        + "</Flume></Appenders><Loggers><Logger name='shop' level='info'><AppenderRef ref='out'/></Logger>"
        + "<Root level='off'/></Loggers></Configuration>";
    ByteArrayInputStream bytes = new ByteArrayInputStream(configuration.getBytes(StandardCharsets.UTF_8));
    LoggerContext context = Configurator.initialize(null, new ConfigurationSource(bytes));
    ThreadContext.put("order", "17");
    Logger log = context.getLogger("shop.Orders");
    int count = Integer.parseInt(words[1]);
    for (int number = 1; number <= count; number++) {
      if (number % 2 == 0) {
        log.warn("p\u0159\u00edkaz {}", number);
      } else {
        log.info("p\u0159\u00edkaz {}", number);
      }
    }
    log.debug("below the level");
    context.stop();
  }
}
