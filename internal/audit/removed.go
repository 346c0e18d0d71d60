package audit

import (
	"math"
	"math/bits"
	"slices"
)

// removed keeps account of contents that are not there and of which no entry that was
// read says that they were removed. It has one bit for each, since a run of entries
// would not do: between two of them may be others of which nothing was removed.
type removed struct {
	missing map[Class]map[int64]*missingBlock // by the number of the block

	// Of the entries from since on, which came while the log was read, what they say is
	// kept: it may be told only afterwards that a content is there no more.
	since  int64
	recent []accounted
}

// missingBlock has a bit for each entry of one block.
type missingBlock struct {
	bits  [BlockSize / 64]uint64
	count int
}

// accounted is what one entry says was removed.
type accounted struct {
	seq   int64
	class Class // "" for any
	gone  []Range
}

// add says that the content of an entry is not there.
func (r *removed) add(seq int64, class Class) {
	if r.missing == nil {
		r.missing = make(map[Class]map[int64]*missingBlock)
	}
	blocks := r.missing[class]
	if blocks == nil {
		blocks = make(map[int64]*missingBlock)
		r.missing[class] = blocks
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

// late says that a content which was there when its entry was read is there no more.
func (r *removed) late(seq int64, class Class) {
	told := slices.ContainsFunc(r.recent, func(a accounted) bool {
		return seq < a.seq && (a.class == "" || a.class == class) &&
			slices.ContainsFunc(a.gone, func(gone Range) bool { return gone.First <= seq && seq <= gone.Last })
	})
	if !told {
		r.add(seq, class)
	}
}

// account takes off what the entry seq says was removed from those before it.
func (r *removed) account(seq int64, e *Entry) {
	if seq >= r.since {
		r.recent = append(r.recent, accounted{seq, e.Class, e.Removed})
	}
	for class, blocks := range r.missing {
		if e.Class != "" && e.Class != class {
			continue
		}
		for _, gone := range e.Removed {
			clearRange(blocks, max(0, gone.First), min(gone.Last, seq-1))
		}
	}
}

func clearRange(blocks map[int64]*missingBlock, first, last int64) {
	for number := first / BlockSize; first <= last && number <= last/BlockSize; number++ {
		block := blocks[number]
		if block == nil {
			continue
		}
		start := number * BlockSize
		block.clear(max(first, start)-start, min(last, start+BlockSize-1)-start)
		if block.count == 0 {
			delete(blocks, number)
		}
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

func (r *removed) empty() bool {
	for _, blocks := range r.missing {
		if len(blocks) > 0 {
			return false
		}
	}
	return true
}

// mismatch is the first content that is not accounted for.
func (r *removed) mismatch() error {
	least := int64(math.MaxInt64)
	for _, blocks := range r.missing {
		for number, block := range blocks {
			least = min(least, number*BlockSize+block.first())
		}
	}
	return &Mismatch{First: least, Last: least, Reason: "has lost its content although no entry says that it was removed"}
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
