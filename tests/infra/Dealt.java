import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;

/** Prints the group of keys, of so many, into which Flink puts each key, given as the bytes of its code in hexadecimal. */
public class Dealt {
    public static void main(String[] arguments) {
        int groups = Integer.parseInt(arguments[0]);
        for (int place = 1; place < arguments.length; place++) {
            ByteBuffer key = ByteBuffer.wrap(HexFormat.of().parseHex(arguments[place]));
            System.out.println(KeyGroupRangeAssignment.assignToKeyGroup(key, groups));
        }
    }
}
