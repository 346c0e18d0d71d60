package atna

import "time"

// AwaitEnd waits until a sender has noticed that the collector ended its connection.
func AwaitEnd(s *Sender) { <-s.conn.end }

// AwaitRefusal makes a sender wait so long for a collector to refuse a new connection.
func AwaitRefusal(s *Sender, settle time.Duration) { s.settle = settle }
