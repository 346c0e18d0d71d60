//go:build oracle

package endtoend_test

import (
	"testing"
	"time"

	"github.com/wardsmsp/ward/internal/spinesim"
	"github.com/wardsmsp/ward/internal/stage"
	"github.com/wardsmsp/ward/internal/wsdl/wsdltest"
)

// WRD-MSG-26: in every situation of the simulator's cast, what our own client sends
// and what comes back over the wire fits the schemas that clients are given.
func TestConversationsFitTheDescription(t *testing.T) {
	t.Parallel()
	w := start(t, stage.Options{Budget: 3 * time.Second})
	asker := w.client(t)
	var messages, situations []string
	for _, child := range w.Children(len(spinesim.Cast())) {
		m, err := asker.Prepare(w.question(t, child.NHSNumber))
		if err != nil {
			t.Fatal(err)
		}
		messages, situations = append(messages, string(m.Content)), append(situations, child.Situation+", question")
		r := asker.Send(t.Context(), m)
		if len(r.Raw) == 0 {
			t.Fatalf("%s: no answer: %v", child.Situation, r.Cause)
		}
		messages, situations = append(messages, string(r.Raw)), append(situations, child.Situation+", answer")
	}
	for i, verdict := range wsdltest.ValidateMessages(t, messages...) {
		if verdict != "" {
			t.Errorf("%s: %s\n%s", situations[i], verdict, messages[i])
		}
	}
}
