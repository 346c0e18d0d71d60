package sds

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// bundle is the answer to a search, as far as it is needed (FHIR R4).
type bundle struct {
	ResourceType string `json:"resourceType"`
	Type         string `json:"type"`
	Total        *int   `json:"total"`
	Entry        []struct {
		Resource resource `json:"resource"`
	} `json:"entry"`
}

// resource is a Device or an Endpoint, as far as it is needed.
type resource struct {
	ResourceType string       `json:"resourceType"`
	Status       string       `json:"status"`
	Address      string       `json:"address"`
	Identifier   []identifier `json:"identifier"`
	Extension    []extension  `json:"extension"`
}

type identifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

type extension struct {
	URL          string      `json:"url"`
	ValueString  string      `json:"valueString"`
	ValueInteger json.Number `json:"valueInteger"`
	Extension    []extension `json:"extension"`
}

// readOne reads a Bundle with one resource of a type. What is not such a Bundle is no
// answer of the directory; one with none or several is.
func readOne(content []byte, resourceType string) (resource, error) {
	err := checkNames(content)
	if err != nil {
		return resource{}, unavailable("it answered with JSON that cannot be read", err)
	}
	var b bundle
	err = json.Unmarshal(content, &b)
	if err != nil || b.ResourceType != "Bundle" || b.Type != "searchset" {
		return resource{}, unavailable("it answered with something else than the Bundle of a search", nil)
	}
	switch {
	case len(b.Entry) > 1 || b.Total != nil && *b.Total > 1:
		return resource{}, failure(Ambiguous, "it has more than one "+resourceType+" of the service")
	case len(b.Entry) == 0:
		return resource{}, failure(NoRecord, "it has no "+resourceType+" of the service: compare sds.organisation and sds.interaction with the directory")
	}
	r := b.Entry[0].Resource
	if r.ResourceType != resourceType {
		return resource{}, failure(Unusable, "it gave another resource than "+resourceType)
	}
	if r.Status != "" && r.Status != "active" {
		return resource{}, failure(Unusable, "its "+resourceType+" of the service is not active")
	}
	return r, nil
}

// maxDepth bounds how deep JSON is nested.
const maxDepth = 32

// checkNames refuses JSON in which an object has a name twice, in whatever case: readers
// do not agree which value counts. It also refuses what follows the first value.
func checkNames(content []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	err := checkValue(decoder, 0)
	if err != nil {
		return err
	}
	_, err = decoder.Token()
	if !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

func checkValue(decoder *json.Decoder, depth int) error {
	token, err := decoder.Token()
	if err != nil {
		return errors.New("it is not well-formed")
	}
	opening, isOpening := token.(json.Delim)
	if !isOpening {
		return nil
	}
	if depth == maxDepth {
		return errors.New("it is nested too deep")
	}
	names := map[string]bool{}
	for decoder.More() {
		if opening == '{' {
			token, err = decoder.Token()
			name, isName := token.(string)
			if err != nil || !isName {
				return errors.New("it is not well-formed")
			}
			name = strings.ToLower(name)
			if names[name] {
				return errors.New("an object has a name twice")
			}
			names[name] = true
		}
		err = checkValue(decoder, depth+1)
		if err != nil {
			return err
		}
	}
	_, err = decoder.Token()
	if err != nil {
		return errors.New("it is not well-formed")
	}
	return nil
}

// identifier returns the one identifier of a system, "" if there is none.
func (r resource) identifier(system string) (string, error) {
	value, found := "", 0
	for _, i := range r.Identifier {
		if i.System == system {
			value = i.Value
			found++
		}
	}
	switch {
	case found > 1:
		return "", failure(Ambiguous, "a resource has several identifiers of "+system+" where one is needed; tell the directory's owner")
	case value != "" && !isPlain(value):
		return "", failure(Unusable, "a resource has an identifier of "+system+" that is not a plain text")
	}
	return value, nil
}

// record reads an Endpoint, which must be of a party key if it names one.
func (r resource) record(partyKey string) (record, error) {
	if !isPlain(r.Address) {
		return record{}, failure(Unusable, "its Endpoint has no address")
	}
	own, err := r.identifier(partyKeySystem)
	if err != nil {
		return record{}, err
	}
	if own != "" && !strings.EqualFold(own, partyKey) {
		return record{}, failure(Unusable, "it gave the Endpoint of another party key")
	}
	cpaID, err := r.identifier(cpaIDSystem)
	if err != nil {
		return record{}, err
	}
	values, err := r.reliability()
	if err != nil {
		return record{}, err
	}
	return record{
		address: r.Address, cpaID: cpaID,
		syncReply: values["nhsMHSSyncReplyMode"], ackRequested: values["nhsMHSAckRequested"],
		duplicateElimination: values["nhsMHSDuplicateElimination"], actor: values["nhsMHSActor"], retries: values["nhsMHSRetries"],
		retryInterval: values["nhsMHSRetryInterval"], persistDuration: values["nhsMHSPersistDuration"],
	}, nil
}

// reliability returns the values of the extension ReliabilityConfiguration by their
// names. Without the extension it cannot be told how the Spine is to be asked.
func (r resource) reliability() (map[string]string, error) {
	var found []extension
	for _, e := range r.Extension {
		if e.URL == reliability {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		return nil, failure(Unusable, "its Endpoint does not have the extension ReliabilityConfiguration once; use a contract of the configuration")
	}
	values := map[string]string{}
	for _, e := range found[0].Extension {
		_, twice := values[e.URL]
		value := e.ValueString
		if e.ValueInteger != "" {
			value = e.ValueInteger.String()
		}
		if twice || value != "" && !isPlain(value) {
			return nil, failure(Unusable, "the extension ReliabilityConfiguration has a value twice, or one that is not a plain text; tell the directory's owner")
		}
		values[e.URL] = value
	}
	return values, nil
}
