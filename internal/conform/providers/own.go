package providers

import (
	"slices"
	"strings"
)

// own is the cases that follow a choice of Ward's own, where no published or observed
// rule decides. A provider that chose otherwise differs from Ward and fails nothing. An
// entry that ends in a hyphen stands for every id that begins so.
var own = []string{
	"P1-", "P2-", "P3-", // taken by Ward, and not by every provider

	// What may be refused for its size, and which flags of a payload.
	"H-too-large", "H-too-large-", "N29-deep", "N29-many-", "N29-long-", "N31-",

	// A value that is interrupted, or written with a reference, is refused instead of
	// joined.
	"N8-created-comment", "N12-comment", "N12-cdata", "N15-action-split", "N19-tracking-reference",
	"N23-comment", "N23-cdata", "N23-reference",
	"N34-id-reference", "N34-person-user-id-reference", "N34-system-asid-reference",
	"N34-person-name-comment", "N34-person-name-text-comment", "N34-person-name-cdata",
	"N35-reference", "N35-cdata",

	"N32-", // a message is refused if it uses an id again

	"every-refusal-bare", "every-not-stored",
}

// isOwn reports whether a case follows a choice of Ward's own.
func isOwn(id string) bool {
	return slices.ContainsFunc(own, func(entry string) bool {
		return id == entry || strings.HasSuffix(entry, "-") && strings.HasPrefix(id, entry)
	})
}
