import java.util.Arrays;
import java.util.Properties;
import org.apache.log4j.LogManager;
import org.apache.log4j.Logger;
import org.apache.log4j.MDC;
import org.apache.log4j.PropertyConfigurator;

/** Logs numbered lines with log4j 1.2, to one Avro source or balanced over several; and three more in one batch. */
public final class Log4j1 {
  public static void main(String[] words) {
    String appender = "log4j.appender.out";
    String[] first = words[0].split(",")[0].split(":");
    Properties properties = new Properties();
    properties.setProperty("log4j.rootLogger", "INFO, out");
    if (words[0].contains(",")) {
      properties.setProperty(appender, "org.apache.flume.clients.log4jappender.LoadBalancingLog4jAppender");
      properties.setProperty(appender + ".Hosts", words[0].replace(',', ' '));
      properties.setProperty(appender + ".Selector", "ROUND_ROBIN");
    } else {
      properties.setProperty(appender, "org.apache.flume.clients.log4jappender.Log4jAppender");
      properties.setProperty(appender + ".Hostname", first[0]);
      properties.setProperty(appender + ".Port", first[1]);
    }
    PropertyConfigurator.configure(properties);
    Logger log = Logger.getLogger("shop.Orders");
    int count = Integer.parseInt(words[1]);
    for (int number = 1; number <= count; number++) {
      if (number % 2 == 0) {
        log.warn("p\u0159\u00edkaz " + number);
      } else {
        log.info("p\u0159\u00edkaz " + number);
      }
    }
    log.debug("below the level");
    log.error(Arrays.asList("first of three", "second of three", "third of three"));
    LogManager.shutdown();
  }
}
