import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.common.MQVersion;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.RPCHook;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.SerializeType;

/**
 * Prints requests that RocketMQ's own hook has signed, a line each: name, header encoding, secret, frame in hex,
 * divided by tabs. Argument: the release.
 */
public class Vectors {
    static final String KEY = "rocketmq-inner", SECRET = "12345678-secret";
    static int opaque = 1;

    public static void main(String[] args) throws Exception {
        System.setProperty(RemotingCommand.REMOTING_VERSION_KEY, String.valueOf(MQVersion.CURRENT_VERSION));
        // The hook of 4.8.0 signs what is in the header's class, nothing that was added to it.
        boolean signsAdded = !args[0].startsWith("4.8");
        for (SerializeType type : SerializeType.values()) {
            SessionCredentials plain = new SessionCredentials(KEY, SECRET);
            print("route", type, plain, command(105, header("GetRouteInfoRequestHeader", "topic", "TopicTest")));
            print("retry topic", type, plain, command(105, header("GetRouteInfoRequestHeader", "topic", "%RETRY%group a|b")));
            print("unicode topic", type, plain, command(105, header("GetRouteInfoRequestHeader", "topic", "主题\ud83d\ude00\"\\\n")));
            print("no header", type, plain, command(106, null));
            print("security token", type, new SessionCredentials(KEY, SECRET, "token 1"),
                command(105, header("GetRouteInfoRequestHeader", "topic", "TopicTest")));
            print("unicode secret", type, new SessionCredentials("Benutzer-\u00e4", "p\u00e4ssw\u00f6rd-\u79d8\u5bc6"),
                command(105, header("GetRouteInfoRequestHeader", "topic", "TopicTest")));
            print("long secret", type, new SessionCredentials(KEY, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"),
                command(105, header("GetRouteInfoRequestHeader", "topic", "TopicTest")));

            RemotingCommand register = command(103, header("RegisterBrokerRequestHeader", "brokerName", "broker-a",
                "brokerAddr", "127.0.0.1:10911", "clusterName", "DefaultCluster", "haServerAddr", "127.0.0.1:10912",
                "brokerId", 0L, "compressed", true, "bodyCrc32", 7));
            byte[] body = new byte[512];
            for (int i = 0; i < body.length; i++) {
                body[i] = (byte) i; // no UTF-8
            }
            register.setBody(body);
            print("registration", type, plain, register);

            RemotingCommand version = command(322, header("QueryDataVersionRequestHeader", "brokerName", "broker-a",
                "brokerAddr", "127.0.0.1:10911", "clusterName", "DefaultCluster", "brokerId", 0L));
            version.setBody("{\"counter\":1,\"stateVersion\":0,\"timestamp\":2}".getBytes("UTF-8"));
            print("data version", type, plain, version);
            print("wipe", type, plain, command(205, header("WipeWritePermOfBrokerRequestHeader", "brokerName", "broker-a")));

            if (signsAdded) {
                RemotingCommand added = command(105, header("GetRouteInfoRequestHeader", "topic", "TopicTest"));
                for (String key : new String[] {"\ue000", "\uffee", "\ud83d\ude00", "\u00e9", "Zeta", "alpha", "_", "Signature2", "AccessKey2"}) {
                    added.addExtField(key, "<" + key + ">");
                }
                added.addExtField("empty", "");
                print("order of keys", type, plain, added);
            }
            zone(type, plain);
        }
    }

    /** zone is what a client of 5.x with a zone does: its hooks run in this order. */
    static void zone(SerializeType type, SessionCredentials credentials) throws Exception {
        RPCHook zone;
        try {
            zone = (RPCHook) Class.forName("org.apache.rocketmq.remoting.rpchook.DynamicalExtFieldRPCHook").getDeclaredConstructor().newInstance();
        } catch (ClassNotFoundException e) {
            return;
        }
        System.setProperty("rocketmq.zone", "zone-1");
        System.setProperty("rocketmq.zone.mode", "true");
        RemotingCommand asked = command(105, header("GetRouteInfoRequestHeader", "topic", "TopicTest"));
        new AclClientRPCHook(credentials).doBeforeRequest("127.0.0.1:9876", asked);
        zone.doBeforeRequest("127.0.0.1:9876", asked);
        write("zone of a client", type, credentials, asked);

        RemotingCommand said = command(103, header("RegisterBrokerRequestHeader", "brokerName", "broker-a",
            "brokerAddr", "127.0.0.1:10911", "clusterName", "DefaultCluster", "brokerId", 0L));
        zone.doBeforeRequest("127.0.0.1:9876", said);
        print("zone of a broker", type, credentials, said);
        System.clearProperty("rocketmq.zone");
        System.clearProperty("rocketmq.zone.mode");
    }

    static RemotingCommand command(int code, CommandCustomHeader header) {
        RemotingCommand c = RemotingCommand.createRequestCommand(code, header);
        c.setOpaque(opaque++);
        return c;
    }

    /** header makes a header of either package with these fields, as far as the release has them. */
    static CommandCustomHeader header(String name, Object... fields) throws Exception {
        Class<?> c = null;
        for (String where : new String[] {"remoting.protocol.header.namesrv", "common.protocol.header.namesrv"}) {
            try {
                c = Class.forName("org.apache.rocketmq." + where + "." + name);
            } catch (ClassNotFoundException e) {
                continue;
            }
        }
        CommandCustomHeader h = (CommandCustomHeader) c.getDeclaredConstructor().newInstance();
        for (int i = 0; i < fields.length; i += 2) {
            for (Field f : c.getDeclaredFields()) {
                if (f.getName().equals(fields[i])) {
                    f.setAccessible(true);
                    f.set(h, fields[i + 1]);
                }
            }
        }
        return h;
    }

    static void print(String name, SerializeType type, SessionCredentials credentials, RemotingCommand c) {
        new AclClientRPCHook(credentials).doBeforeRequest("127.0.0.1:9876", c);
        write(name, type, credentials, c);
    }

    static void write(String name, SerializeType type, SessionCredentials credentials, RemotingCommand c) {
        c.setSerializeTypeCurrentRPC(type);
        ByteBuffer frame = c.encode();
        StringBuilder hex = new StringBuilder();
        while (frame.hasRemaining()) {
            hex.append(String.format("%02x", frame.get()));
        }
        System.out.println(name + "\t" + type + "\t" + credentials.getSecretKey() + "\t" + hex);
    }
}
