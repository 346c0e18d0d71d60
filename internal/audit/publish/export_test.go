package publish

// Cosignature is the reading of a witness's answer, for the fuzzer.
var Cosignature = cosignature
