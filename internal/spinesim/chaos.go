package spinesim

import (
	"cmp"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

// Disturbance is what chaos does to a posted reply.
type Disturbance string

// The disturbances.
const (
	Undisturbed    Disturbance = ""
	Duplicate      Disturbance = "duplicate"       // posted twice
	Reorder        Disturbance = "reorder"         // held until later replies have gone
	Lose           Disturbance = "lose"            // never posted
	FlipBits       Disturbance = "flip-bits"       // the top bits of some bytes of the payload, which is then no UTF-8
	WrongReference Disturbance = "wrong-reference" // eb:RefToMessageId of a message that never was
	TruncateMIME   Disturbance = "truncate-mime"   // the last third missing, the Content-Length that of the rest
	OtherBoundary  Disturbance = "other-boundary"  // the Content-Type names another boundary
)

// Chaos disturbs posted replies in fixed shares: of each hundred replies, in the order
// in which they are composed, exactly so many meet each disturbance and each delay. The
// seed decides which. One question at a time therefore always has the same story; of
// several at once the shares are exact, and who meets what depends on their order. The
// zero value disturbs nothing. Behaviours that post in a way of their own are left alone.
type Chaos struct {
	Seed uint64

	// Shares of the disturbances, in percent. A reply meets one at most.
	Duplicate, Reorder, Lose, FlipBits, WrongReference, TruncateMIME, OtherBoundary int

	// HoldFor is how many later replies overtake a reordered one; default 1.
	// HoldAtMost is how long it waits for them; default five seconds.
	HoldFor    int
	HoldAtMost time.Duration

	// Delays keep replies back, disturbed or not; the rest are not delayed.
	Delays []DelayShare
}

// DelayShare is the share of replies, in percent, that are kept back that long.
type DelayShare struct {
	Share int
	Delay time.Duration
}

func (c Chaos) shares() []struct {
	disturbance Disturbance
	share       int
} {
	return []struct {
		disturbance Disturbance
		share       int
	}{
		{Duplicate, c.Duplicate}, {Reorder, c.Reorder}, {Lose, c.Lose}, {FlipBits, c.FlipBits},
		{WrongReference, c.WrongReference}, {TruncateMIME, c.TruncateMIME}, {OtherBoundary, c.OtherBoundary},
	}
}

func (c Chaos) validate() error {
	sum := 0
	for _, s := range c.shares() {
		if s.share < 0 || s.share > 100 {
			return fmt.Errorf("the share of %s is not between 0 and 100", s.disturbance)
		}
		sum += s.share
	}
	delayed := 0
	for _, d := range c.Delays {
		if d.Share < 0 || d.Share > 100 || d.Delay < 0 || d.Delay > waitAtMost {
			return errors.New("a share of delayed replies is not between 0 and 100, or its delay not between none and an hour")
		}
		delayed += d.Share
	}
	if sum > 100 || delayed > 100 {
		return errors.New("the shares of chaos come to more than 100")
	}
	if c.HoldFor < 0 || c.HoldAtMost < 0 || c.HoldAtMost > waitAtMost {
		return errors.New("what holds a reordered reply is negative or longer than an hour")
	}
	return nil
}

func (d Disturbance) validate() error {
	if d == Undisturbed {
		return nil
	}
	for _, s := range (Chaos{}).shares() {
		if s.disturbance == d {
			return nil
		}
	}
	return fmt.Errorf("there is no chaos %q", d)
}

// Disturb replaces the chaos; what was composed before keeps its card.
func (s *Simulator) Disturb(c Chaos) error {
	err := c.validate()
	if err != nil {
		return err
	}
	s.chaos.shuffle(c)
	return nil
}

// card is the lot of one reply.
type card struct {
	disturbance Disturbance
	delay       time.Duration
	holdFor     int
	holdAtMost  time.Duration
	bits        uint64 // seeds the flipping
}

// deck deals a hundred cards at a time. Safe for concurrent use.
type deck struct {
	mu    sync.Mutex
	chaos Chaos
	rand  *mathrand.Rand
	cards []card
}

func newDeck(c Chaos) *deck {
	d := &deck{}
	d.shuffle(c)
	return d
}

func (d *deck) shuffle(c Chaos) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.Delays = append([]DelayShare(nil), c.Delays...)
	d.chaos, d.cards = c, nil
	d.rand = mathrand.New(mathrand.NewPCG(c.Seed, 0))
}

// draw takes the next card, or makes one of the disturbance that a script wants.
func (d *deck) draw(wanted Disturbance) card {
	d.mu.Lock()
	defer d.mu.Unlock()
	if wanted != Undisturbed {
		return d.card(wanted)
	}
	if len(d.cards) == 0 {
		d.deal()
	}
	c := d.cards[0]
	d.cards = d.cards[1:]
	return c
}

// card is one without a delay; d.mu must be held.
func (d *deck) card(disturbance Disturbance) card {
	c := card{disturbance: disturbance, bits: d.rand.Uint64()}
	if disturbance == Reorder {
		c.holdFor = cmp.Or(d.chaos.HoldFor, 1)
		c.holdAtMost = cmp.Or(d.chaos.HoldAtMost, 5*time.Second)
	}
	return c
}

// deal makes the next hundred cards; disturbances and delays are shuffled apart.
func (d *deck) deal() {
	d.cards = make([]card, 0, 100)
	for _, s := range d.chaos.shares() {
		for range s.share {
			d.cards = append(d.cards, d.card(s.disturbance))
		}
	}
	for len(d.cards) < 100 {
		d.cards = append(d.cards, card{})
	}
	d.rand.Shuffle(100, func(i, j int) { d.cards[i], d.cards[j] = d.cards[j], d.cards[i] })
	order := d.rand.Perm(100)
	at := 0
	for _, s := range d.chaos.Delays {
		for range s.Share {
			d.cards[order[at]].delay = s.Delay
			at++
		}
	}
}

// flip inverts the top bit of three bytes between ASCII neighbours. No valid UTF-8 has
// such a byte, so whoever reads with care notices.
func (c card) flip(payload []byte) {
	ascii := func(i int) bool { return i >= 0 && i < len(payload) && payload[i] < 0x80 }
	r := mathrand.New(mathrand.NewPCG(c.bits, 1))
	flipped := 0
	for range 1000 { // far more than any payload needs
		i := r.IntN(len(payload))
		if flipped < 3 && ascii(i-1) && ascii(i) && ascii(i+1) {
			payload[i] |= 0x80
			flipped++
		}
	}
}
