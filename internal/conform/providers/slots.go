package providers

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/wardsmsp/ward/cpis"
)

// slots fill the places of one message that differ from one message to another.
type slots struct {
	values map[string]string
	now    time.Time
}

// errNotConfigured says what a case needs and the configuration does not give.
var errNotConfigured = errors.New("the configuration gives no")

var slot = regexp.MustCompile(`\{([a-z][^{}]*)\}`)

// fill fills the slots of a text. A slot that the configuration leaves empty is
// errNotConfigured; one that does not exist is a mistake of the case.
func (s slots) fill(text string) (string, error) {
	var problem error
	filled := slot.ReplaceAllStringFunc(text, func(place string) string {
		value, err := s.value(place[1 : len(place)-1])
		if err != nil && problem == nil {
			problem = err
		}
		return value
	})
	return filled, problem
}

func (s slots) value(name string) (string, error) {
	if offset, isTime := strings.CutPrefix(name, "at "); isTime {
		return s.at(offset)
	}
	value, known := s.values[name]
	switch {
	case !known:
		return "", fmt.Errorf("the case has a slot that does not exist: %s", name)
	case value == "":
		return "", fmt.Errorf("%w %s", errNotConfigured, name)
	default:
		return value, nil
	}
}

// at reads "-5m", or "-5m 2006-01-02T15:04:05": the time at that distance from now,
// in UTC.
func (s slots) at(text string) (string, error) {
	distance, layout, found := strings.Cut(text, " ")
	if !found {
		layout = "2006-01-02T15:04:05Z"
	}
	offset, err := time.ParseDuration(distance)
	if err != nil {
		return "", err
	}
	return s.now.Add(offset).Format(layout), nil
}

// newSlots are those of a new message about a number.
func (s Settings) newSlots(number string) slots {
	now := time.Now().UTC()
	id := map[string]string{}
	for _, name := range []string{"message", "stamp", "tracking", "payload", "event", "other"} {
		id[name] = strings.ToUpper(uuid.NewString())
		id[name+" in lower case"] = strings.ToLower(id[name])
		id[name+" by reference"] = byReference(id[name])
	}
	created := now.Add(-time.Second)
	values := map[string]string{
		"created": created.Format("2006-01-02T15:04:05Z"),
		"expires": created.Add(10 * time.Minute).Format("2006-01-02T15:04:05Z"),
		"number":  number,

		"to":                escape(s.To),
		"to in plain HTTP":  escape(strings.Replace(s.To, "https://", "http://", 1)),
		"to, its own host":  escape(hostChanged(s.To)),
		"username":          escape(s.Username),
		"other_username":    escape(s.OtherUsername),
		"provider":          escape(s.Provider),
		"organisation":      escape(s.Organisation),
		"organisation name": escape(s.OrganisationName),
		"identity":          escape(s.AuditIdentity),
		"user identity":     escape(s.userIdentity()),
		"asid":              escape(s.ASID),
		"user":              escape(s.UserID),
		"user by reference": byReference(s.UserID),
		"asid by reference": byReference(s.ASID),
		"profile":           escape(s.RoleProfile),
		"role code":         escape(s.Role.Code),
		"role system":       escape(s.Role.System),
		"role name":         escape(s.Role.Display),
		"name":              parts(s.Name),
		"family":            escape(s.family()),
	}
	for name, value := range id {
		values[name] = value
	}
	// Ids that are broken are new in each message too: a provider that takes one must
	// not come to refuse it as used before.
	message := id["message"]
	values["message, a comment in it"] = message[:8] + "<!-- -->" + message[8:]
	values["message, its last digit missing"] = message[:35]
	values["message, without hyphens"] = strings.ReplaceAll(message, "-", "")
	values["message, a letter G in it"] = "G" + message[1:]
	return slots{values: values, now: now}
}

// userIdentity is the audit identity if it singles out a user of the organisation.
func (s Settings) userIdentity() string {
	rest, ok := strings.CutPrefix(s.AuditIdentity, identityPrefix+s.Organisation+":")
	if !ok || rest == "" {
		return ""
	}
	return s.AuditIdentity
}

// hostChanged writes the scheme and the host of a URL in upper case, "" if it is none.
func hostChanged(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return ""
	}
	origin := u.Scheme + "://" + u.Host
	return strings.Replace(to, origin, strings.ToUpper(origin), 1)
}

// byReference writes the first character of a text as a character reference.
func byReference(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("&#%d;%s", s[0], s[1:])
}

// parts is the content of a name.
func parts(n cpis.PersonName) string {
	var b strings.Builder
	for _, part := range n.Parts {
		text := escape(part.Text)
		if part.Kind != "" {
			text = "<" + part.Kind + ">" + text + "</" + part.Kind + ">"
		}
		b.WriteString(text)
	}
	return b.String()
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
