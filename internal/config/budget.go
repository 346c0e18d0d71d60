package config

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Budget is how many questions a second may be asked under one ASID, by all instances
// together, and how that came to be agreed (TOM-DE-03a). Without one an ASID has no
// limit of its own.
type Budget struct {
	ASID          string  `toml:"asid"`          // spine.from_asid, or that of a client
	PerSecond     float64 `toml:"per_second"`    // the limit
	Burst         *int    `toml:"burst"`         // above that rate for a moment; per_second rounded up
	Requested     float64 `toml:"requested"`     // a second, as asked for; at least per_second
	Justification string  `toml:"justification"` // why so many are needed
	ApprovedBy    string  `toml:"approved_by"`
	ApprovedOn    string  `toml:"approved_on"` // such as 2026-03-14
}

// maxPerSecond is more than any ASID is ever given.
const maxPerSecond = 1e6

func (b *Budget) complete() {
	if b.PerSecond > 0 && b.PerSecond <= maxPerSecond {
		unset(&b.Burst, int(math.Ceil(b.PerSecond)))
	}
	unset(&b.Burst, 1)
}

func (c *checker) budgets(s *Settings) {
	asids := []string{s.Spine.FromASID}
	for _, client := range s.Clients {
		asids = append(asids, client.ASID)
	}
	var seen []string
	for _, b := range s.Budgets {
		key := "budgets." + b.ASID
		switch {
		case !isASID(b.ASID):
			c.problems.add(key+".asid", "must be an ASID, twelve digits")
		case slices.Contains(seen, b.ASID):
			c.problems.add(key+".asid", "has a budget already; remove one of them")
		case !slices.Contains(asids, b.ASID):
			c.problems.add(key+".asid", "is neither spine.from_asid nor that of a client; correct it, or remove this budget")
		}
		seen = append(seen, b.ASID)
		c.budget(key, b)
	}
}

func (c *checker) budget(key string, b Budget) {
	if !(b.PerSecond > 0 && b.PerSecond <= maxPerSecond) {
		c.problems.add(key+".per_second", "must be more than 0 and at most %.0f", maxPerSecond)
	}
	if *b.Burst < 1 || *b.Burst > maxPerSecond {
		c.problems.add(key+".burst", "must be at least 1 and at most %.0f", maxPerSecond)
	}
	if b.PerSecond > b.Requested || !(b.Requested <= maxPerSecond) {
		c.problems.add(key+".requested", "must be what was asked for, which per_second cannot be more than")
	}
	for name, text := range map[string]string{"justification": b.Justification, "approved_by": b.ApprovedBy} {
		if strings.TrimSpace(text) == "" {
			c.problems.add(key+"."+name, "must be given: each limit is recorded with its reason and who approved it (TOM-DE-03)")
		}
	}
	on, err := time.Parse(time.DateOnly, b.ApprovedOn)
	if err != nil || on.After(time.Now()) {
		c.problems.add(key+".approved_on", "must be the day of the approval, such as 2026-03-14, and not one to come")
	}
}
