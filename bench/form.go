package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/config"
	"github.com/wardsmsp/ward/internal/itk"
)

// form is a whole HTTP request whose ids and NHS number can be overwritten in
// place, because they have a fixed width.
type form struct {
	content []byte
	ids     [][]int // places of each id
	numbers []int   // places of the NHS number
}

const (
	idWidth      = 36
	counterWidth = 12 // hex digits at the end of an id
	numberWidth  = 10
)

// newForm finds the ids and the NHS number in a request. Every one must be
// there.
func newForm(content []byte, ids []string, number string) (*form, error) {
	t := &form{content: content, numbers: places(content, number)}
	for _, id := range ids {
		found := places(content, id)
		if len(found) == 0 {
			return nil, errors.New("an id is not in the request that was to hold it")
		}
		t.ids = append(t.ids, found)
	}
	if len(t.numbers) == 0 {
		return nil, errors.New("the NHS number is not in the request that was to hold it")
	}
	return t, nil
}

func places(content []byte, text string) []int {
	var all []int
	for from := 0; ; {
		i := bytes.Index(content[from:], []byte(text))
		if i < 0 {
			return all
		}
		all = append(all, from+i)
		from += i + len(text)
	}
}

// copyFor is a copy of the form for one connection.
func (t *form) copyFor() *form {
	return &form{content: bytes.Clone(t.content), ids: t.ids, numbers: t.numbers}
}

// fill makes the request one about the child, with ids that no other count gives.
func (t *form) fill(count int64, number string) []byte {
	const digits = "0123456789ABCDEF"
	for _, group := range t.ids {
		for _, at := range group {
			n := count
			for i := at + idWidth - 1; i >= at+idWidth-counterWidth; i-- {
				t.content[i] = digits[n&15]
				n >>= 4
			}
		}
	}
	for _, at := range t.numbers {
		copy(t.content[at:], number)
	}
	return t.content
}

// formID is an id of this run, with room for a count at its end.
func formID(kind int) string {
	return fmt.Sprintf("%08X-%04X-4000-8000-%012X", uint32(time.Now().UnixNano()>>10), kind, 0)
}

// makeQuestion writes the request of an emergency department that asks as a system,
// as the configuration of `ward ask` has it.
func (s *scene) makeQuestion() (*form, error) {
	asker, err := config.LoadClient(s.stage.ClientConfig())
	if err != nil {
		return nil, err
	}
	number, err := cpis.ParseNHSNumber(s.children[0].number)
	if err != nil {
		return nil, err
	}
	var ids []string
	for kind := range 5 {
		ids = append(ids, formID(kind))
	}
	now := time.Now().UTC()
	body, err := itk.WriteRequest(itk.Question{
		MessageID:       ids[0],
		TimestampID:     ids[1],
		TrackingID:      ids[2],
		PayloadID:       ids[3],
		To:              s.stage.URL,
		Created:         now,
		Expires:         now.Add(12 * time.Hour),
		Username:        asker.Username,
		AuditIdentities: asker.AuditIdentities,
		Organisation:    asker.Organisation,
		Provider:        asker.Provider,
		Query: cpis.Query{
			ID:     ids[4],
			Time:   cpis.Moment{Written: now.Format("20060102150405+0000"), Time: now, Precision: cpis.ToSecond},
			Author: asker.Author,
			Number: number,
		},
	})
	if err != nil {
		return nil, err
	}
	head := "POST /smsp/cpis HTTP/1.1\r\nHost: " + s.stage.Address + "\r\nContent-Type: text/xml; charset=utf-8\r\n" +
		"SOAPAction: " + itk.RequestService + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	return newForm(append([]byte(head), body...), ids, number.Digits())
}

// tap stands where the simulator will stand, has Ward ask one question, and so
// learns byte for byte what Ward sends to the Spine.
func (s *scene) tap(ctx context.Context) (*form, error) {
	pair, err := tls.LoadX509KeyPair(s.path("spinesim.pem"), s.path("spinesim-key.pem"))
	if err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", s.simulatorAddress, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	type heard struct {
		content []byte
		err     error
	}
	sent := make(chan heard, 1)
	go func() {
		content, err := listen(listener)
		sent <- heard{content, err}
	}()
	ward, err := s.startWard(ctx, "")
	if err != nil {
		return nil, err
	}
	defer ward.stop()
	line, err := s.dial(ctx, s.stage.Address)
	if err != nil {
		return nil, err
	}
	defer line.close()
	_, _, err = line.exchange(s.question.copyFor().fill(0, s.children[0].number))
	if err != nil {
		return nil, fmt.Errorf("ward did not answer the first question: %w", err)
	}
	var h heard
	select {
	case h = <-sent:
	case <-time.After(patience):
		h.err = errors.New("it sent nothing")
	}
	if h.err != nil {
		return nil, fmt.Errorf("what ward sends to the Spine could not be learnt: %w", h.err)
	}
	_, rest, found := strings.Cut(string(h.content), ">uuid:")
	if !found || len(rest) < idWidth {
		return nil, errors.New("what ward sends to the Spine has no message id")
	}
	query := string(s.question.content[s.question.ids[4][0]:][:idWidth])
	return newForm(h.content, []string{rest[:idWidth], query}, s.children[0].number)
}

// listen takes one connection, reads one request of it, and closes it.
func listen(listener net.Listener) ([]byte, error) {
	c, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	var content bytes.Buffer
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(c, &content)))
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, request.Body)
	return content.Bytes(), err
}
