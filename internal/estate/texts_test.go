package estate

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// filled is a reading in which every text, in whatever field, is its own.
func filled() Reading {
	r := Reading{Facts: make([]Fact, 2)}
	n := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			n++
			v.SetString(fmt.Sprintf("text %d", n))
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					fill(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				fill(v.Index(i))
			}
		}
	}
	fill(reflect.ValueOf(&r).Elem())
	return r
}

// Whatever texts a reading gets, they are walked: one that was forgotten would
// leave without being scrubbed. Its id is from the configuration.
func TestTextsWalksEveryText(t *testing.T) {
	r := filled()
	before := filled()
	shared := r.Facts
	if !r.Texts(strings.ToUpper) {
		t.Error("it saw no change")
	}
	id := r.ID
	r.ID = ""
	if text := fmt.Sprintf("%+v", r); strings.Contains(text, "text ") {
		t.Errorf("a text was not walked: %s", text)
	}
	r.ID = id
	if !reflect.DeepEqual(shared, before.Facts) {
		t.Errorf("shared facts were written to: %+v", shared)
	}
	if r.SameTexts(&before) {
		t.Error("readings of other words are the same")
	}
	for i := range before.Facts {
		for j := range before.Facts[i].texts() {
			other := filled()
			*other.Facts[i].texts()[j] = "x"
			if other.SameTexts(&before) {
				t.Errorf("text %d of fact %d does not count", j, i)
			}
		}
	}
	same := filled()
	if same.Texts(func(s string) string { return s }) || !same.SameTexts(&before) {
		t.Error("it changed what f left alone")
	}
}

func TestTextsOfReadingsLeavesThemAlone(t *testing.T) {
	given := &Readings{All: []Reading{filled(), filled()}}
	out := given.Texts(strings.ToUpper)
	if want := filled(); !reflect.DeepEqual(given.All, []Reading{want, want}) {
		t.Error("the readings given were changed")
	}
	if out.All[1].Facts[1].Formula != strings.ToUpper(given.All[1].Facts[1].Formula) {
		t.Errorf("not passed on: %+v", out.All[1])
	}
}

func TestSummaryIsTheWorst(t *testing.T) {
	r := &Readings{}
	for _, c := range []struct{ add, want Status }{{NA, NA}, {OK, OK}, {Warn, Warn}, {OK, Warn}, {Unknown, Unknown}, {Fail, Fail}, {Unknown, Fail}} {
		r.All = append(r.All, Reading{Status: c.add})
		if got := r.Summary(); got != c.want {
			t.Errorf("with %s it is %s, want %s", c.add, got, c.want)
		}
	}
}
