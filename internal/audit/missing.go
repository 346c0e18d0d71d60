package audit

import (
	"math/bits"
	"slices"
)

// Missing keeps account of contents that are not there though their leaves commit to
// them, until an entry says that they were removed. Its zero value is empty. It has one
// bit for each such content: runs would not do, since between two contents that are
// gone there may be entries that never had any, and then nothing says what a part of a
// run is about.
type Missing struct {
	blocks map[Class]map[int64]*missingBlock // by the number of the block
}

// missingBlock has a bit for each entry of one block.
type missingBlock struct {
	bits  [BlockSize / 64]uint64
	count int
}

// Add says that the content of an entry is not there.
func (m *Missing) Add(seq int64, class Class) {
	if m.blocks == nil {
		m.blocks = make(map[Class]map[int64]*missingBlock)
	}
	blocks := m.blocks[class]
	if blocks == nil {
		blocks = make(map[int64]*missingBlock)
		m.blocks[class] = blocks
	}
	block := blocks[seq/BlockSize]
	if block == nil {
		block = new(missingBlock)
		blocks[seq/BlockSize] = block
	}
	word, bit := &block.bits[seq%BlockSize/64], uint64(1)<<(seq%64)
	if *word&bit == 0 {
		*word |= bit
		block.count++
	}
}

// Account takes off what an entry says was removed.
func (m *Missing) Account(e *Entry) {
	if e.Kind != Erased && e.Kind != Expired {
		return
	}
	for class, blocks := range m.blocks {
		if e.Class != "" && e.Class != class {
			continue
		}
		for _, gone := range e.Removed {
			takeOff(blocks, gone)
		}
	}
}

// takeOff never looks at more blocks than there are, whatever an entry says.
func takeOff(blocks map[int64]*missingBlock, gone Range) {
	first, last := max(0, gone.First)/BlockSize, gone.Last/BlockSize
	if last-first >= int64(len(blocks)) {
		for number := range blocks {
			takeOffBlock(blocks, number, gone)
		}
		return
	}
	for number := first; number <= last; number++ {
		takeOffBlock(blocks, number, gone)
	}
}

func takeOffBlock(blocks map[int64]*missingBlock, number int64, gone Range) {
	block := blocks[number]
	first, last := max(gone.First-number*BlockSize, 0), min(gone.Last-number*BlockSize, BlockSize-1)
	if block == nil || first > last {
		return
	}
	block.clear(first, last)
	if block.count == 0 {
		delete(blocks, number)
	}
}

// clear takes off the entries from first to last, counted within the block.
func (b *missingBlock) clear(first, last int64) {
	for word := first / 64; word <= last/64; word++ {
		mask := ^uint64(0)
		if word == first/64 {
			mask &= ^uint64(0) << (first % 64)
		}
		if word == last/64 {
			mask &= ^uint64(0) >> (63 - last%64)
		}
		b.count -= bits.OnesCount64(b.bits[word] & mask)
		b.bits[word] &^= mask
	}
}

// first is the first entry of a block that has one.
func (b *missingBlock) first() int64 {
	for word, set := range b.bits {
		if set != 0 {
			return int64(word*64 + bits.TrailingZeros64(set))
		}
	}
	return BlockSize
}

// Count is how many contents are not accounted for.
func (m *Missing) Count() int64 {
	n := 0
	for _, blocks := range m.blocks {
		for _, block := range blocks {
			n += block.count
		}
	}
	return int64(n)
}

// Mismatch returns nil, or the first content that is not accounted for.
func (m *Missing) Mismatch() error {
	least := int64(-1)
	for _, blocks := range m.blocks {
		for number, block := range blocks {
			seq := number*BlockSize + block.first()
			if least < 0 || seq < least {
				least = seq
			}
		}
	}
	if least < 0 {
		return nil
	}
	return &Mismatch{First: least, Last: least, Reason: "has lost its content although no entry says that it was removed"}
}

// accounted keeps what entries said was removed while a log was read: it may be
// noticed only afterwards that a content is there no more.
type accounted struct {
	since int64 // the entries from here on came while the log was read
	said  []said
}

type said struct {
	seq   int64
	class Class // "" for any
	gone  []Range
}

// add takes an entry, which may be of any kind.
func (a *accounted) add(seq int64, e *Entry) {
	if seq >= a.since && (e.Kind == Erased || e.Kind == Expired) {
		a.said = append(a.said, said{seq, e.Class, slices.Clone(e.Removed)})
	}
}

// has reports whether an entry said that the content of an earlier one was removed.
func (a *accounted) has(seq int64, class Class) bool {
	return slices.ContainsFunc(a.said, func(s said) bool {
		return seq < s.seq && (s.class == "" || s.class == class) &&
			slices.ContainsFunc(s.gone, func(gone Range) bool { return gone.First <= seq && seq <= gone.Last })
	})
}
