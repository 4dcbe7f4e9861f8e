import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;

/**
 * Producer NAMESRV TOPIC PREFIX sends PREFIX0, PREFIX1, ... until its standard input ends, and prints for each
 * "ok BODY BROKER" or "failed BODY WHY". For each line it reads it sends that line, by a client that knows nothing yet.
 */
public class Producer {
    public static void main(String[] args) throws Exception {
        Thread fresh = new Thread(() -> {
            try {
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
                for (String line; (line = in.readLine()) != null; ) {
                    DefaultMQProducer producer = client(args[0], line);
                    send(producer, args[1], line);
                    producer.shutdown();
                }
            } catch (Throwable e) {
                e.printStackTrace();
            }
            Runtime.getRuntime().halt(0);
        });
        fresh.start();
        DefaultMQProducer producer = client(args[0], "steady");
        for (int i = 0; ; i++) {
            send(producer, args[1], args[2] + i);
            Thread.sleep(20);
        }
    }

    static DefaultMQProducer client(String namesrv, String name) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("producers");
        if (!namesrv.isEmpty()) {
            producer.setNamesrvAddr(namesrv);
        }
        producer.setInstanceName(name);
        producer.setPollNameServerInterval(100);
        producer.setSendMsgTimeout(30_000); // the machine may be busy
        producer.start();
        return producer;
    }

    static void send(DefaultMQProducer producer, String topic, String body) throws InterruptedException {
        try {
            SendResult r = producer.send(new Message(topic, body.getBytes()));
            System.out.println("ok " + body + " " + r.getMessageQueue().getBrokerName() + " " + r.getSendStatus());
        } catch (Exception e) {
            System.out.println("failed " + body + " " + e.toString().replace('\n', ' '));
        }
    }
}
