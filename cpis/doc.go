// Package cpis is the domain of Ward: what Child Protection - Information
// Sharing (CP-IS) is asked, what it may answer, and what may be concluded.
//
// It knows no HTTP, XML or SQL and does no I/O. Two rules shape its types:
//
//   - A query is a notification. Every Answer says whether the responsible
//     local authority was notified: yes, no, or maybe.
//   - "No record" is not "no risk", and "could not find out" is neither. An
//     Answer of NoRecord can be built only from the Spine's own statement that
//     it holds nothing; no failure can be turned into one.
package cpis
