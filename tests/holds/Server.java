import java.net.ServerSocket;

/** Says its pid to who connects: Server PORT. Ends with status 98 where the port is in use. */
class Server {
    public static void main(String[] args) throws Exception {
        try (ServerSocket server = new ServerSocket(Integer.parseInt(args[0]))) {
            while (true) {
                try (var peer = server.accept()) {
                    peer.getOutputStream().write((ProcessHandle.current().pid() + "\n").getBytes());
                }
            }
        } catch (java.net.BindException error) {
            System.exit(98);
        }
    }
}
