/* Binds sockets to a port one after the other in a storm of signals: storm PORT COUNT. Handlers
 * without SA_RESTART, so that a call that is disturbed says so, and is made again. Prints how many
 * were disturbed; ends with the errno of a bind that fails otherwise.
 *
 * A kernel that lets signals disturb the wait may lose an answer that it has taken, where the signal
 * comes between the two: the bind is made again then, and is told EINVAL. So a few may be lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static void nothing(int signal) { (void)signal; }

int main(int count, char **words) {
    (void)count;
    struct sigaction act = {.sa_handler = nothing};
    sigaction(SIGALRM, &act, NULL);
    struct itimerval often = {{0, 300}, {0, 300}};
    setitimer(ITIMER_REAL, &often, NULL);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    int disturbed = 0, lost = 0;
    for (int left = atoi(words[2]); left; left--) {
        int server = socket(AF_INET, SOCK_STREAM, 0), done, again = 0;
        while ((done = bind(server, (struct sockaddr *)&at, sizeof at)) && errno == EINTR)
            again++;
        disturbed += again;
        if (done && !(again && errno == EINVAL && ++lost <= 3))
            return errno;
        if (bind(server, (struct sockaddr *)&at, sizeof at) == 0)
            return 1; /* A second bind of one socket is wrong. */
        if (errno == EINTR)
            disturbed++;
        else if (errno != EINVAL)
            return 2;
        close(server);
    }
    printf("%d\n", disturbed);
    return 0;
}
