package stage_test

import (
	"testing"

	"github.com/wardsmsp/ward/internal/stage"
)

// Nobody listens on an address that was found until its stage is set: meanwhile it must
// not be found again.
func TestNoAddressIsGivenTwice(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for range 500 { // by chance one of them would be given again
		address, err := stage.FreeAddress()
		if err != nil {
			t.Fatal(err)
		}
		if given[address] {
			t.Fatalf("%s was given twice", address)
		}
		given[address] = true
	}
}
