/* A program of 32-bit Intel processors without any library, which binds by socketcall(2), or with
 * -DDIRECT by bind(2). -DPORT=.. is the port, as its two bytes are in memory. Says "32" to who
 * connects; ends with status 98 where the port is in use. */
static int call(int number, long a, long b, long c) {
    int done;
    __asm__ volatile("int $0x80"
                     : "=a"(done)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory");
    return done;
}

static int on_socket(int what, long a, long b, long c) {
    long words[3] = {a, b, c};
    return call(102, what, (long)words, 0);
}

void _start(void) {
    struct {
        unsigned short family, port;
        unsigned char rest[12];
    } at = {2, PORT, {0}};
    int server = on_socket(1, 2, 1, 0);
#ifdef DIRECT
    int done = call(361, server, (long)&at, sizeof at);
#else
    int done = on_socket(2, server, (long)&at, sizeof at);
#endif
    if (done)
        call(1, done == -98 ? 98 : 1, 0, 0);
    on_socket(4, server, 8, 0);
    for (;;) {
        long words[3] = {server, 0, 0};
        int peer = call(102, 5, (long)words, 0);
        call(4, peer, (long)"32\n", 3);
        call(6, peer, 0, 0);
    }
}
