package trust

// Parse returns how many lists a file holds, for tests.
func Parse(content []byte) (lists int, err error) {
	all, err := parse(content)
	return len(all), err
}
