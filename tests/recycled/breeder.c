/* Processes that listen, end at random and are replaced, whose pids go round all the time; and a log
 * of who lived when, and of every signal that one of them got.
 *
 * usage: breeder PID_MAX FIRST_PORT PORTS PROGRAM [ARGUMENT...]
 *
 * Is the init of a pid namespace, in a network of its own, as root. Sets how high pids go (0: leaves
 * that), starts the program with the log as its standard input, and breeds until it ends; its exit status
 * is that of the program. Lines of the log:
 *   B gen pid start port parent born      it began; port 0: it does not listen; parent: the gen of its parent, or 0
 *   S gen pid signal sender at            it got a signal
 *   D gen pid signal at                   it was waited for; signal: the one that ended it, or 0
 * Times are nanoseconds of CLOCK_MONOTONIC. A line is one write, before what it tells can be seen by others;
 * of one that shares a socket, the time is that, though the line comes later.
 *
 * No process of these handles signals: they are blocked, and taken when there is time, so that one
 * is told of that is sent before anything else is done, too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIDS 65536
#define SEATS 256
#define RING 64

/* What all of them share. */
static struct shared {
    atomic_ulong gens;
    /* The gen of a process, by its pid. */
    atomic_ulong gen_of[PIDS];
    /* Pids that were given back just now. */
    atomic_int freed[RING];
    atomic_uint freed_next;
} *shared;

/* What each process is. */
static unsigned long gen;
static uint64_t dice;
static sigset_t all;
/* Where the log goes. */
static int out;

static long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static unsigned roll(unsigned sides) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)((dice >> 11) % sides);
}

static void say(const char *line, int length) {
    /* Nobody reads it any more when the program ends. */
    if (write(out, line, length) != length && errno != EPIPE)
        _exit(9);
}

static void die(const char *what) {
    fprintf(stderr, "breeder: %s: %s\n", what, strerror(errno));
    exit(8);
}

/* When this process was started, in clock ticks, as everybody reads it. */
static unsigned long start_time(void) {
    char text[1024];
    int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    int length = (int)read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        _exit(7);
    text[length] = 0;
    char *rest = strrchr(text, ')') + 1;
    for (int field = 2; field < 21; field++)
        rest = strchr(rest + 1, ' ');
    return strtoul(rest, 0, 10);
}

static void born_at(long time, int port, unsigned long parent) {
    char line[160];
    int length = snprintf(line, sizeof line, "B %lu %d %lu %d %lu %ld\n", gen, (int)getpid(),
                          start_time(), port, parent, time);
    say(line, length);
}

static void born(int port, unsigned long parent) { born_at(now(), port, parent); }

/* Waits, at most for so long, for a signal; tells of it. */
static int next_signal(long nanoseconds) {
    siginfo_t info;
    struct timespec left = {nanoseconds / 1000000000L, nanoseconds % 1000000000L};
    int signal = sigtimedwait(&all, &info, &left);
    if (signal > 0 && signal != SIGCHLD) {
        char line[128];
        int length = snprintf(line, sizeof line, "S %lu %d %d %d %ld\n", gen, (int)getpid(), signal,
                              (int)info.si_pid, now());
        say(line, length);
    }
    return signal;
}

/* Ends this process. What was sent to it before is told of. */
static void leave(void) {
    while (next_signal(0) > 0)
        ;
    _exit(0);
}

/* Another process, with this pid where it can be had; 0: with any. Its gen is known before it runs. */
static pid_t spawn(pid_t wanted) {
    unsigned long next = atomic_fetch_add(&shared->gens, 1) + 1;
    struct clone_args args = {.exit_signal = SIGCHLD};
    if (wanted > 1) {
        args.set_tid = (uintptr_t)&wanted;
        args.set_tid_size = 1;
    }
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0 && wanted > 1) {
        /* Somebody was faster. */
        args.set_tid = args.set_tid_size = 0;
        pid = syscall(SYS_clone3, &args, sizeof args);
    }
    if (pid == 0) {
        gen = next;
        dice = (next * 0x9e3779b97f4a7c15u) ^ (uint64_t)now() ^ 1;
        for (int warm = 0; warm < 4; warm++)
            roll(2);
        atomic_store(&shared->gen_of[getpid()], gen);
    } else if (pid > 0) {
        /* It may be ended before it has come so far. */
        atomic_store(&shared->gen_of[pid], next);
    }
    return (pid_t)pid;
}

/* Waits for a child that has ended, and tells of it; 0 when there is none. */
static pid_t reap(int *status) {
    siginfo_t info = {0};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return 0;
    pid_t pid = info.si_pid;
    /* Its pid is another's from the call on, so that the end is told of before. */
    if (status)
        *status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    char line[128];
    int how = info.si_code == CLD_EXITED ? 0 : info.si_status;
    int length = snprintf(line, sizeof line, "D %lu %d %d %ld\n",
                          atomic_load(&shared->gen_of[pid]), (int)pid, how, now());
    say(line, length);
    waitid(P_PID, pid, &info, WEXITED | WNOHANG);
    unsigned place = atomic_fetch_add(&shared->freed_next, 1) % RING;
    atomic_store(&shared->freed[place], pid);
    return pid;
}

/* A pid that was given back by somebody a moment ago; 0 when there is none. */
static pid_t recycled(void) {
    unsigned last = atomic_load(&shared->freed_next);
    for (unsigned back = 1; back <= 4; back++) {
        pid_t pid = atomic_exchange(&shared->freed[(last - back) % RING], 0);
        if (pid)
            return pid;
    }
    return 0;
}

static int listen_at(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int yes = 1, here = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(here, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    for (int tries = 0; tries < 20; tries++) {
        if (bind(here, (struct sockaddr *)&at, sizeof at) == 0 && listen(here, 8) == 0)
            return 0;
        if (next_signal(500000) == SIGTERM)
            leave();
    }
    return -1;
}

/* Lives for so long. Who is stubborn goes on after a signal. */
static void live(long nanoseconds, int stubborn) {
    long end = now() + nanoseconds, left;
    while ((left = end - now()) > 0) {
        int signal = next_signal(left);
        if (signal == SIGCHLD)
            while (reap(0))
                ;
        else if (signal > 0 && !stubborn)
            break;
    }
}

/* A process below a listener, whose own children come and go; it never has the socket. */
static void nest(long nanoseconds, int depth) {
    long end = now() + nanoseconds;
    int children = 0;
    while (now() < end) {
        while (children < 2) {
            unsigned long parent = gen;
            pid_t child = spawn(recycled());
            if (child == 0) {
                born(0, parent);
                if (depth < 2 && roll(3) == 0)
                    nest(roll(40) * 1000000L, depth + 1);
                else
                    live(500000L + roll(30000) * 1000L, 0);
                leave();
            }
            if (child < 0)
                break;
            children++;
        }
        int signal = next_signal(2000000);
        while (reap(0))
            children--;
        if (signal > 0 && signal != SIGCHLD)
            break;
    }
}

/* A process that listens. */
static void victim(int port, int is_brief) {
    unsigned kind = is_brief ? 50 : roll(100);
    /* Below it. It is there before there is a socket that it could get. */
    if (kind < 8) {
        unsigned long me = gen;
        if (spawn(0) == 0) {
            born(0, me);
            nest(40000000L + roll(100) * 1000000L, 0);
            leave();
        }
    }
    born(port, 0);
    if (listen_at(port) != 0)
        leave();
    /* One that shares the socket, and keeps it for a while. */
    if (kind >= 8 && kind < 14) {
        unsigned long me = gen;
        /* It has the socket, and is shown with it, before it can say anything. */
        long before = now();
        if (spawn(0) == 0) {
            born_at(before, port, me);
            live(roll(60) * 1000000L, 0);
            leave();
        }
    }
    static const int lives[] = {3, 10, 30, 100, 300, 600};
    long life = (is_brief ? 2 : lives[roll(6)]) * 1000000L;
    live(life / 2 + roll((unsigned)(life / 1000)) * 1000L, kind >= 90);
    leave();
}

static void decoy(void) {
    born(0, 0);
    live((1 + roll(60)) * 1000000L, 0);
    leave();
}

/* A place at a port, and when it is to be taken again. */
static struct seat {
    pid_t pid;
    pid_t next;
    long due;
} seats[SEATS];

static void take(struct seat *seat, int port) {
    pid_t wanted = seat->next;
    seat->next = 0;
    seat->pid = spawn(wanted);
    if (seat->pid == 0)
        victim(port, seat == seats);
    if (seat->pid < 0) {
        seat->pid = 0;
        seat->due = now() + 1000000;
    }
}

static void spawn_decoy(pid_t pid) {
    if (spawn(pid) == 0)
        decoy();
}

/* Somebody who listened is gone: who gets the pid, and who the port? */
static void replace(struct seat *seat) {
    static pid_t spare;
    pid_t pid = seat->pid;
    seat->pid = seat->next = 0;
    seat->due = 0;
    /* At the first port, one with the same pid follows within the clock tick, if it can. */
    switch (seat == seats ? 0 : roll(10)) {
    case 0: case 1: case 2: /* The same pid at the same port. */
        seat->next = pid;
        break;
    case 3: case 4: /* The pid goes to the next port that is to be had. */
        seat->next = spare;
        spare = pid;
        break;
    case 5: case 6: /* The pid goes to one that does not listen, and the port to another. */
        spawn_decoy(pid);
        break;
    case 7: /* And the port stays free for a while. */
        spawn_decoy(pid);
        seat->due = now() + roll(60) * 1000000L;
        break;
    default: /* As it comes. */
        break;
    }
}

static void set_up(int pid_max) {
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (ioctl(any, SIOCSIFFLAGS, &lo) != 0)
        die("lo");
    close(any);
    if (pid_max) {
        int file = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
        if (file < 0 || dprintf(file, "%d\n", pid_max) < 0)
            die("pid_max");
        close(file);
    }
    shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("mmap");
}

int main(int count, char **arguments) {
    if (count < 5)
        return 2;
    int first = atoi(arguments[2]), ports = atoi(arguments[3]);
    if (ports > SEATS || getpid() != 1)
        return 2;
    set_up(atoi(arguments[1]));
    dice = (uint64_t)now() | 1;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        die("pipe");
    out = ends[1];
    pid_t program = spawn(0);
    if (program == 0) {
        sigprocmask(SIG_SETMASK, &before, 0);
        dup2(ends[0], 0);
        execv(arguments[4], arguments + 4);
        die(arguments[4]);
    }
    close(ends[0]);
    /* Each descriptor costs everybody who looks who has which. */
    for (int file = 0; file < 3; file++)
        close(file);
    for (;;) {
        long next = now() + 5000000;
        for (int i = 0; i < ports; i++) {
            if (!seats[i].pid && seats[i].due <= now())
                take(&seats[i], first + i);
            if (!seats[i].pid && seats[i].due < next)
                next = seats[i].due;
        }
        long rest = next - now();
        next_signal(rest > 0 ? rest : 0);
        int status;
        for (pid_t pid; (pid = reap(&status)) > 0;) {
            if (pid == program)
                return status;
            int i = 0;
            while (i < ports && seats[i].pid != pid)
                i++;
            if (i < ports)
                replace(&seats[i]);
            else if (roll(5) == 0)
                spawn_decoy(pid);
            /* At once: nobody else is to get the pid first. */
            if (i < ports && !seats[i].pid && seats[i].due <= now())
                take(&seats[i], first + i);
        }
    }
}
