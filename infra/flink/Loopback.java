package rollout;

import com.sun.net.httpserver.HttpServer;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.instrument.Instrumentation;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import net.bytebuddy.ByteBuddy;
import net.bytebuddy.asm.Advice;
import net.bytebuddy.dynamic.loading.ClassReloadingStrategy;
import net.bytebuddy.implementation.bytecode.assign.Assigner;
import net.bytebuddy.description.method.MethodDescription;
import net.bytebuddy.matcher.ElementMatcher;
import net.bytebuddy.matcher.ElementMatchers;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.netty.NettyServerBuilder;

/**
 * An agent for the Java programs of Beam and Flink: servers that would listen on all addresses listen on one.
 *
 * <p>Beam's gRPC servers and the HTTP server of Flink's metrics name a port and no address, and neither has a setting
 * for it. Where either has changed so that this can no longer be done, the program does not start.
 */
public final class Loopback {
  private static final String LOOPBACK = "127.0.0.1";

  private Loopback() {}

  /** The argument is the address for metrics; Beam's services are always on the loopback address. */
  public static void premain(String metricsHost, Instrumentation instrumentation) {
    boolean named = metricsHost != null && !metricsHost.isEmpty();
    bind(NettyServerBuilder.class, "forAddress", LOOPBACK, instrumentation);
    bind(HttpServer.class, "create", named ? metricsHost : LOOPBACK, instrumentation);
  }

  private static void bind(Class<?> server, String method, String host, Instrumentation instrumentation) {
    ElementMatcher.Junction<MethodDescription> takesAnAddress =
        ElementMatchers.takesArgument(0, ElementMatchers.isSubTypeOf(SocketAddress.class));
    new ByteBuddy()
        .redefine(server)
        .visit(
            Advice.withCustomMapping()
                .bind(Host.class, host)
                .to(Named.class)
                .on(ElementMatchers.named(method).and(takesAnAddress)))
        .make()
        .load(server.getClassLoader(), ClassReloadingStrategy.of(instrumentation));
  }

  /** Where a server listens that has named no address. */
  @Retention(RetentionPolicy.RUNTIME)
  @interface Host {}

  /** Goes to the beginning of a method whose first argument is where to listen. */
  static final class Named {
    private Named() {}

    @Advice.OnMethodEnter
    static void enter(
        @Advice.Argument(value = 0, readOnly = false, typing = Assigner.Typing.DYNAMIC) Object address,
        @Host String host) {
      if (address instanceof InetSocketAddress
          && ((InetSocketAddress) address).getAddress() != null
          && ((InetSocketAddress) address).getAddress().isAnyLocalAddress()) {
        address = new InetSocketAddress(host, ((InetSocketAddress) address).getPort());
      }
    }
  }
}
