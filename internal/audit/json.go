package audit

// MarshalJSON writes all of an entry as one JSON object, under the names that its
// fields have in leaves and contents.
func (e Entry) MarshalJSON() ([]byte, error) {
	w := writer{buf: append(make([]byte, 0, 1024+len(e.Detail)), '{'), bare: true}
	e.visit(&w, newestVersion)
	e.visitContent(&w)
	return append(w.buf, '}'), nil
}
