package provider

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/wardsmsp/ward/internal/replies"
	"github.com/wardsmsp/ward/internal/replies/handover"
)

// inbox is where the Spine's asynchronous replies come in. A nil inbox has none.
type inbox struct {
	room     *replies.Room
	table    *handover.Table // shared with other replicas; nil if there are none
	discards *replies.Discards
	listener net.Listener
	server   *replies.Server
}

// openReplies opens the inbox where replies are configured.
func (p *Provider) openReplies(ctx context.Context) error {
	r := p.settings.Replies
	if r.Address == "" {
		return nil
	}
	discards := replies.NewDiscards(p.log, p.logger, time.Now, NewID)
	p.replies = &inbox{discards: discards}
	options := replies.Options{
		Waiting:    p.settings.Limits.Questions,
		Remembered: remembered,
		Remember:   r.Remember,
		Now:        time.Now,
		Untaken:    discards.Untaken,
	}
	if p.settings.Store.Postgres != "" {
		table, err := handover.Open(ctx, handover.Options{
			URL: p.settings.Store.Postgres, Instance: p.settings.Store.Instance, Keys: p.settings.Keys, Remember: r.Remember, Logger: p.logger,
		})
		if err != nil {
			return fmt.Errorf("replies cannot be handed to other instances: %w", err)
		}
		p.replies.table, options.Exchange = table, table
	}
	p.replies.room = replies.NewRoom(options)
	var err error
	p.replies.listener, err = net.Listen("tcp", r.Address)
	if err != nil {
		return fmt.Errorf("the address replies.address cannot be listened on: %w", err)
	}
	p.replies.server = replies.New(replies.Config{
		TLS:      p.settings.RepliesTLS,
		Trust:    p.settings.Trust.Replies,
		Peers:    r.Peers,
		Path:     r.Path,
		Room:     p.replies.room,
		Discards: discards,
		Log:      p.log,
		Limits: replies.Limits{
			Connections: r.Connections,
			PerAddress:  r.PerAddress,
			Deliveries:  r.Deliveries,
			Body:        r.Body,
			Header:      p.settings.Limits.Header,
			Timeout:     r.Timeout,
			IdleTimeout: r.IdleTimeout,
		},
		Logger: p.logger,
		Now:    time.Now,
		NewID:  NewID,
	})
	return nil
}

// remembered bounds for how many ended questions late replies are told from others.
const remembered = 100_000

// waiting is the room where questions wait, nil without an inbox.
func (i *inbox) waiting() *replies.Room {
	if i == nil {
		return nil
	}
	return i.room
}

// fates are how many replies had each fate.
func (i *inbox) fates() map[replies.Fate]uint64 {
	if i == nil {
		return nil
	}
	fates := i.discards.Counts()
	fates[replies.Delivered] = i.server.Delivered()
	return fates
}

// shutdown takes no more replies: nobody waits for one. What came and was taken by
// nobody is on record when it returns.
func (i *inbox) shutdown(ctx context.Context) {
	if i == nil {
		return
	}
	_ = i.server.Shutdown(ctx) // what is still under way is cut off, and the Spine is not told that it was taken
	i.room.Stop()
}

// release lets go of what was opened, in reverse.
func (i *inbox) release() {
	if i == nil {
		return
	}
	if i.listener != nil {
		i.listener.Close()
	}
	if i.room != nil {
		i.room.Stop()
	}
	if i.table != nil {
		i.table.Close()
	}
}
