/* Says its pid to who connects: server PORT. Ends with status 98 where the port is in use. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **words) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(words[count - 1]))};
    int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(server, (struct sockaddr *)&at, sizeof at) || listen(server, 8))
        return errno == EADDRINUSE ? 98 : 1;
    for (;;) {
        int peer = accept(server, NULL, NULL);
        dprintf(peer, "%d\n", getpid());
        close(peer);
    }
}
