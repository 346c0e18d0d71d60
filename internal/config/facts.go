package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// Facts are all settings in force, those of the file and the defaults, as texts
// under dotted names such as "listen.address" and "clients.ed.asid". They are there
// to be compared and recorded (IG-3.9.11).
//
// Text is as it is, numbers are decimal, times are Go durations, and a list or a
// table is in JSON. Of a file with a key or certificates there is what it holds,
// never where it is, and of a key never more than its public part:
//
//   - certificates: a list of "sha256:HEX", each of a whole certificate
//   - a private key of TLS: "spki:HEX", SHA-256 of its public key
//   - a key of the audit log that signs: its name, "+" and its key hash, as verifier keys have them
//   - keys of the audit log that seal and index: a list of their ids
//   - the public keys of erasure orders and of witnesses: like those that sign
//   - the key of an API: "sha256:HEX" of the key
//   - the URL of a PostgreSQL database: its host and its database
//   - the API key of an application: "sha256:HEX"
func (s *Settings) Facts() map[string]string {
	facts := map[string]string{}
	collect(facts, "", reflect.ValueOf(s.File))
	for key, held := range s.fingerprints {
		facts[key] = held
	}
	return facts
}

// holds notes what stands for the content of the file that a setting names. Every
// setting that names a file with a key needs it; without it Facts has the path.
func (c *checker) holds(key, fingerprint string) {
	if c.fingerprints != nil { // nil where only a part of the file is read
		c.fingerprints[key] = fingerprint
	}
}

func collect(facts map[string]string, key string, v reflect.Value) {
	switch value := v.Interface().(type) {
	case time.Duration:
		facts[key] = value.String()
		return
	case []Client:
		for i, client := range value {
			collect(facts, key+"."+client.Name, v.Index(i))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Tag.Get("toml")
			if key != "" {
				name = key + "." + name
			}
			collect(facts, name, v.Field(i))
		}
	case reflect.Pointer: // set by complete
		collect(facts, key, v.Elem())
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 { // none and an empty one are the same
			v = reflect.MakeSlice(reflect.TypeFor[[]string](), 0, 0)
		}
		facts[key] = inText(v.Interface())
	default:
		facts[key] = fmt.Sprint(v.Interface())
	}
}

// inText writes a list or table of texts as JSON.
func inText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("config: " + err.Error()) // cannot be: lists and tables of texts
	}
	return string(text)
}

func fingerprints(certificates [][]byte) []string {
	all := []string{}
	for _, raw := range certificates {
		all = append(all, "sha256:"+hash(raw))
	}
	return all
}

func hash(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// keyName identifies a key of the audit log, private or public.
func keyName(key interface {
	Name() string
	KeyHash() uint32
}) string {
	return fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash())
}
