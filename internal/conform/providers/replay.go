package providers

// replays is messages that are used twice (N32): the first is asked, what repeats its
// ids is refused, with a text that says that the outcome of the first stands.
func replays() []trial {
	again := fault("Client", "1000")
	again.says = []string{"first", "outcome"}
	repeated := func(id, title string, changes ...change) trial {
		return trial{
			id: "N32-" + id, title: title, requirements: "WRD-VAL-16 WRD-SAF-04",
			steps: []step{{all(), found()}, {all(changes...), again}},
		}
	}
	tracking := replace(`trackingid="{tracking}"`, `trackingid="{first tracking}"`)
	return []trial{
		repeated("same-message", "A message is sent again with the same message id and tracking id (two messages).", messageID("{first message}"), tracking),
		repeated("message-id", "A new message has the message id of an earlier one (two messages).", messageID("{first message}")),
		repeated("message-id-prefix", "A new message has the message id of an earlier one, with a prefix and in lower case (two messages).", messageID("urn:uuid:{first message in lower case}")),
		repeated("tracking-id", "A new message has the tracking id of an earlier one (two messages).", tracking),
	}
}
