package stage

import (
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"syscall"
)

// FreeAddress finds a port on loopback where nobody listens, and gives it to nobody else
// as long as this process runs, at the price of one file descriptor. It looks below the
// ports that outgoing connections are given, which could take one between its being found
// and its being used.
func FreeAddress() (string, error) {
	var err error
	for range 100 {
		port := 20_000 + mathrand.IntN(12_000)
		err = take(port)
		if err == nil {
			return fmt.Sprintf("127.0.0.1:%d", port), nil
		}
	}
	return "", err
}

// take fails if a port was given to anybody, in this process or another one that still
// runs. Until whoever it was given to listens there, and while that one is restarted,
// nothing shows that but the UDP port of the same number, which is kept.
func take(port int) error {
	mark, err := bindUDP(port)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		syscall.Close(mark)
		return err
	}
	return listener.Close()
}

// bindUDP is a bare descriptor, which nothing closes but the end of the process: a
// net.PacketConn that nobody holds is closed when memory is collected.
func bindUDP(port int) (descriptor int, err error) {
	syscall.ForkLock.RLock() // lest a program that is started meanwhile keeps it too
	descriptor, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err == nil {
		syscall.CloseOnExec(descriptor)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, fmt.Errorf("a UDP socket: %w", err)
	}
	err = syscall.Bind(descriptor, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err != nil {
		syscall.Close(descriptor)
		return 0, fmt.Errorf("UDP port %d: %w", port, err)
	}
	return descriptor, nil
}
