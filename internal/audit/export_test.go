package audit

// AppendLeaf is the leaf of an entry under a sequence number, for tests.
func AppendLeaf(seq int64, e Entry) []byte { return encode(e).leaf(seq) }
