// Says its pid to who connects: server PORT. Ends with status 98 where the port is in use.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

func main() {
	// On every address, as most programs of this language do it: one socket for both families.
	server, err := net.Listen("tcp", ":"+os.Args[len(os.Args)-1])
	if errors.Is(err, syscall.EADDRINUSE) {
		os.Exit(98)
	} else if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		peer, err := server.Accept()
		if err != nil {
			os.Exit(1)
		}
		fmt.Fprintln(peer, os.Getpid())
		peer.Close()
	}
}
