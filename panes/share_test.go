package panes

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"warroom/internal/estate"
	"warroom/internal/theme"
)

// plant puts a host, an address, an account id and an ARN of its own into every
// text of v that is drawn, and lists them.
func plant(v reflect.Value, planted *[]string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			switch name := v.Type().Field(i).Name; {
			case !v.Type().Field(i).IsExported(), name == "ID", name == "Kind", name == "From", name == "To", name == "Store", name == "Type", name == "Secrets", name == "Renewal", name == "Expiry":
				// What others refer to by, and what is one of a few words.
			default:
				plant(v.Field(i), planted)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			plant(v.Index(i), planted)
		}
	case reflect.String:
		n := len(*planted)/4 + 1
		secrets := []string{fmt.Sprintf("h%d.leak.example.com", n), fmt.Sprintf("10.%d.%d.7", n/250, n%250), fmt.Sprintf("9%011d", n), fmt.Sprintf("arn:aws:kms:eu-west-1:8%011d:key/k%d", n, n)}
		*planted = append(*planted, secrets...)
		v.SetString(v.String() + " " + strings.Join(secrets, " "))
	}
}

// Nothing that names a host, an address or an account is drawn in share mode,
// wherever in the estate it stands: the names of figures, of components and of
// groups as well as figures and sources.
func TestShareModeMasksEveryTextOfTheEstate(t *testing.T) {
	top := topology()
	given := guideReadings()
	var planted []string
	plant(reflect.ValueOf(&top.Components).Elem(), &planted)
	plant(reflect.ValueOf(&top.Secrets).Elem(), &planted)
	plant(reflect.ValueOf(&top.Flows).Elem(), &planted)
	for i := range top.Components {
		c := &top.Components[i]
		c.Secrets = append(c.Secrets, fmt.Sprintf("secret-%d.leak.example.com", i))
		top.Secrets = append(top.Secrets, estate.StoredSecret{ID: c.Secrets[len(c.Secrets)-1], Store: "secrets-manager",
			Policy: estate.Policy{Expiry: estate.ExpiryTag, ExpiryTag: "tag.leak.example.com", Owner: "owner.leak.example.com"}})
		c.Expiry, c.ExpiryTag = estate.ExpiryTag, "end.leak.example.com"
	}
	for id, one := range given {
		plant(reflect.ValueOf(&one).Elem(), &planted)
		given[id] = one
	}
	fault := estate.Failure{Kind: estate.Denied, Doing: "read lag", Detail: "denied", Next: "grant"}
	plant(reflect.ValueOf(&fault).Elem(), &planted)
	r := readingsOf(top.Index(), given, estate.Observation{
		Key: estate.Key{Component: "postgres-primary", Check: "replication"}, Source: "SELECT at source.leak.example.com", At: now, Failure: &fault,
	})
	planted = append(planted, "leak.example.com")

	draw := func(f Frame) string {
		rows := everything(f, r)
		for _, p := range estate.Planes {
			rows = append(rows, Plane(f, r, PlaneView{Plane: p, Focused: true, Filter: "h1.leak.example.com"})...)
			rows = append(rows, Plane(f, r, PlaneView{Plane: p, Filter: "none.leak.example.com"})...)
			g := f
			g.Height = 4
			rows = append(rows, Plane(g, r, PlaneView{Plane: p})...)
		}
		choices := []Choice{{Label: "at h1.leak.example.com", Detail: "on 10.0.1.7", Key: "k", Disabled: ""}, {Label: "b", Disabled: "arn:aws:kms:eu-west-1:800000000001:key/k1"}}
		rows = append(rows, Palette(f, "h1.leak.example.com", choices, 0)...)
		hints := []KeyHint{{Key: "x", Does: "h1.leak.example.com", Disabled: "h1.leak.example.com"}}
		rows = append(rows, Footer(f, hints, "checking h1.leak.example.com")...)
		help, _ := Help(f, "h1.leak.example.com", []HelpGroup{{"h1.leak.example.com", hints}}, 0)
		rows = append(rows, help...)
		rows = append(rows, Dialog(f, "h1.leak.example.com", []string{"h1.leak.example.com"}, []string{"h1.leak.example.com"}, 0)...)
		rows = append(rows, Band(f, BandInfo{Environment: "h1.leak.example.com", Drill: "h1.leak.example.com", Mode: "READ-ONLY", Share: f.Share})...)
		for _, c := range top.Components {
			rows = append(rows, Copy(f, r, c.ID))
		}
		return text(rows)
	}
	// Wide and high enough that nothing is cut or out of sight.
	f := Frame{Width: 1200, Height: 400, Theme: themeOf(t, theme.NoColor), Now: now}
	open := draw(f)
	seen := 0
	for _, s := range planted {
		if strings.Contains(open, s) {
			seen++
		}
	}
	if seen*10 < len(planted)*8 {
		t.Errorf("of %d planted texts only %d are drawn without share mode, so that this test says little", len(planted), seen)
	}
	for _, size := range [][2]int{{1200, 400}, {160, 400}, {100, 60}, {60, 30}} {
		f.Width, f.Height, f.Share = size[0], size[1], true
		shut := draw(f)
		for _, s := range planted {
			if strings.Contains(shut, s) {
				at := strings.Index(shut, s)
				t.Errorf("%v: share mode shows %q: … %s …", size, s, shut[max(at-60, 0):min(at+60, len(shut))])
			}
		}
	}
}
