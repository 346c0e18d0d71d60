package stage

import (
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"syscall"
)

// FreeAddress finds a port on loopback where nobody listens, and gives it to nobody else
// as long as this process runs. It looks below the ports that outgoing connections are
// given, which could take one between its being found and its being used.
func FreeAddress() (string, error) {
	var err error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+mathrand.IntN(12_000))
		err = take(address)
		if err == nil {
			return address, nil
		}
	}
	return "", err
}

// take fails if an address was given to anybody, in this process or another one that
// still runs. Until whoever it was given to listens there, and while that one is
// restarted, nothing shows that but the UDP port of the same number, which is kept.
func take(address string) error {
	mark, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	defer mark.Close()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return errors.Join(listener.Close(), keep(mark.(*net.UDPConn)))
}

// keep keeps a socket open until the process ends, without anybody who holds it.
func keep(c *net.UDPConn) error {
	control, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var kept error
	err = control.Control(func(fd uintptr) {
		var copied int
		copied, kept = syscall.Dup(int(fd))
		if kept == nil {
			syscall.CloseOnExec(copied)
		}
	})
	return errors.Join(err, kept)
}
