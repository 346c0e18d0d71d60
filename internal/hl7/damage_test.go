//go:build oracle || reference

package hl7_test

import (
	"encoding/xml"
	"math/rand/v2"
	"strings"

	"pgregory.net/rapid"

	"github.com/wardsmsp/ward/cpis"
)

// Examples of one generator, the same on every run.
func examples[T any](n int, g *rapid.Generator[T]) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = g.Example(i)
	}
	return list
}

// ownSchema is the one that clients are given.
const ownSchema = "hl7.xsd"

// damaged are messages with one change or two by chance, the same on every run.
func damaged(tries int, documents ...string) []string {
	random := rand.New(rand.NewPCG(7, 9))
	values := []string{
		"", " ", "1", "-1", "x", "R 1", "L", "LEGAL", "PREFERRED L", child, "999 000 0018", event, strings.ToLower(event), "1.2.3", "1..2", "2.16.840.1.113883.2.1.4.1",
		"20260314", "20260314092653", "20260314092653+0000", "2026031409.5", "202603140926", "202613140926", "tel:1", "tel:x", "EC", "EC WP", "999000111222",
		cpis.OIDUserID, cpis.OIDRoleProfile, cpis.OIDOrganisation, cpis.OIDSite, "SMSP-0000", "SMSP-0006", "é",
	}
	attributes := []string{"root", "extension", "code", "codeSystem", "displayName", "value", "use", "nullFlavor", "classCode", "typeCode", "assigningAuthorityName", "codeSystemName", "type", "updateMode"}
	elements := []string{
		"id", "code", "name", "given", "family", "prefix", "suffix", "author", "value", "delimiter", "validTime", "templateId", "contentId", "effectiveTime", "indirectAuthority",
		"telecom", "subject", "record", "component1", "pertinentInformation13",
	}
	mutate := func(root *node) {
		var all []*node
		root.walk("", func(_ string, n *node) { all = append(all, n) })
		n := all[random.IntN(len(all))]
		switch random.IntN(7) {
		case 0:
			if len(n.attrs) > 0 {
				n.attrs[random.IntN(len(n.attrs))].Value = values[random.IntN(len(values))]
			}
		case 1:
			n.attrs = append(n.attrs, xml.Attr{Name: xml.Name{Local: attributes[random.IntN(len(attributes))]}, Value: values[random.IntN(len(values))]})
		case 2:
			if len(n.attrs) > 0 {
				n.attrs = splice(n.attrs, random.IntN(len(n.attrs)), 1)
			}
		case 3:
			if len(n.children) > 0 {
				n.children = splice(n.children, random.IntN(len(n.children)), 1)
			}
		case 4:
			if len(n.children) > 0 {
				n.children = append(n.children, n.children[random.IntN(len(n.children))])
			}
		case 5:
			n.children = append(n.children, &node{name: xml.Name{Space: hl7Space, Local: elements[random.IntN(len(elements))]}, text: values[random.IntN(len(values))]})
		case 6:
			if len(n.children) == 0 {
				n.text = values[random.IntN(len(values))]
			}
		}
	}
	list := make([]string, tries)
	for i := range list {
		root := treeOf(documents[random.IntN(len(documents))])
		for range 1 + random.IntN(2) {
			mutate(root)
		}
		list[i] = root.String()
	}
	return list
}
