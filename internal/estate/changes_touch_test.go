package estate

import "testing"

// A change to the role or to a security group of a rotation function touches it.
func TestChangesOfAFunctionsOwn(t *testing.T) {
	x := &changeReader{names: map[string][]touched{}}
	x.call("rotate-db", touched{component: "fn"})
	x.call("arn:aws:iam::123456789012:role/service/rotate-role", touched{component: "fn"})
	for target, want := range map[string]int{
		"rotate-db": 1, "security group sg-1 of function rotate-db": 1, "role rotate-role": 1,
		"security group sg-2": 0, "role other": 0, "security group sg-1 of function other": 0,
	} {
		if got := len(x.meant(target)); got != want {
			t.Errorf("%s stands for %d things, want %d", target, got, want)
		}
	}
}
