import java.util.List;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.RPCHook;

/**
 * Client NAMESRV TOPIC ACCESSKEY SECRETKEY sends a message, prints "sent", takes it and prints "got BODY", or prints
 * "failed WHY" and ends. Without the last two it does not sign.
 */
public class Client {
    public static void main(String[] args) throws Exception {
        RPCHook hook = args.length < 4 ? null : new AclClientRPCHook(new SessionCredentials(args[2], args[3]));
        try {
            DefaultMQProducer producer = new DefaultMQProducer("producers", hook);
            producer.setNamesrvAddr(args[0]);
            producer.start();
            producer.send(new Message(args[1], ("hello " + args[1]).getBytes()), 20000);
            System.out.println("sent");
            DefaultLitePullConsumer consumer = new DefaultLitePullConsumer("consumers-of-" + args[1], hook);
            consumer.setNamesrvAddr(args[0]);
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.subscribe(args[1], "*");
            consumer.start();
            for (long end = System.currentTimeMillis() + 60000; System.currentTimeMillis() < end; ) {
                List<MessageExt> messages = consumer.poll(1000);
                for (MessageExt m : messages) {
                    System.out.println("got " + new String(m.getBody()));
                    Runtime.getRuntime().halt(0);
                }
            }
            System.out.println("failed: nothing came");
        } catch (Exception e) {
            for (Throwable t = e; t != null; t = t.getCause()) {
                System.out.println("failed " + t.toString().replace('\n', ' '));
            }
        }
        Runtime.getRuntime().halt(0);
    }
}
