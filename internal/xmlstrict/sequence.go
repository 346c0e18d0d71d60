package xmlstrict

import "fmt"

// Sequence reads an element's children in a fixed order, the way an XML Schema
// sequence does. The first violation sticks: later calls return zero Elements
// and Done reports it. Comments and white space may stand between the
// children, other text may not.
type Sequence struct {
	parent Element
	next   Element // the child to be read next
	err    *SequenceError
}

// SequenceError says where an element's content departs from what was
// expected. Parent and Want are names from the caller's vocabulary, as long as
// Sequence is called on elements whose name has been checked; names that only
// the document uses are not quoted.
type SequenceError struct {
	Line, Column int    // of the child in the way, or of the parent if there is none
	Parent       string // local name
	Want         string // local name; or "an element", "no text", "no more elements"
}

func (e *SequenceError) Error() string {
	return fmt.Sprintf("XML line %d, column %d: in %s expected %s", e.Line, e.Column, e.Parent, e.Want)
}

// Sequence begins to read the children of e, whose name the caller has
// checked. The sequence of no element is empty.
func (e Element) Sequence() *Sequence {
	s := &Sequence{parent: e}
	s.begin()
	return s
}

func (s *Sequence) begin() {
	if !s.parent.Exists() {
		return
	}
	if s.parent.node().written {
		s.fail("no text")
		return
	}
	s.next = s.parent.child(s.parent.index + 1)
}

// fail records the first violation.
func (s *Sequence) fail(want string) {
	if s.err != nil {
		return
	}
	at := s.next
	if !at.Exists() {
		at = s.parent
	}
	line, column := at.Position()
	s.err = &SequenceError{Line: line, Column: column, Parent: s.parent.Name().Local, Want: want}
	s.next = Element{}
}

// advance returns the next child and moves past it.
func (s *Sequence) advance() Element {
	child := s.next
	s.next = s.parent.child(child.node().next)
	return child
}

// One reads a child that must be there.
func (s *Sequence) One(space, local string) Element {
	if !s.next.Is(space, local) {
		s.fail(local)
		return Element{}
	}
	return s.advance()
}

// Optional reads a child that may be there.
func (s *Sequence) Optional(space, local string) (Element, bool) {
	if !s.next.Is(space, local) {
		return Element{}, false
	}
	return s.advance(), true
}

// Many reads from min to max children of one name; max below 0 is no limit. A
// child beyond max is left for the next call.
func (s *Sequence) Many(space, local string, min, max int) []Element {
	var children []Element
	for s.next.Is(space, local) && (max < 0 || len(children) < max) {
		children = append(children, s.advance())
	}
	if len(children) < min {
		s.fail(local)
		return nil
	}
	return children
}

// Peek returns the child to be read next, the zero Element if none is left.
func (s *Sequence) Peek() Element { return s.next }

// Take reads the next child, whatever it is; there must be one.
func (s *Sequence) Take() Element {
	if !s.next.Exists() {
		s.fail("an element")
		return Element{}
	}
	return s.advance()
}

// Done reports the first violation, or that a child is left. The error, if
// any, is a *SequenceError.
func (s *Sequence) Done() error {
	if s.next.Exists() {
		s.fail("no more elements")
	}
	if s.err != nil {
		return s.err
	}
	return nil
}
