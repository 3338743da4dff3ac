package hierarchy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func ExampleSpecChanges() {
	old := Box{Name: "zig", Volumes: []string{"/a:/a"}, Init: true}
	wanted := Box{Name: "zig", Volumes: []string{"/a:/b"}, ExportedBins: []string{"/usr/bin/zig"}}
	fmt.Println(wanted.Spec())
	fmt.Println(SpecChanges(old.Spec(), wanted.Spec()))
	// Output:
	// exported_bins:825dd89b/name:2ee2029c/volumes:40c34e99
	// [exported_bins init volumes] true
}

// Each field of a box has a key of its own, and nothing in the text needs
// quoting anywhere on its way to the engine. Only the check has none: it is no
// part of what a box is, and a box need not be made anew for another one.
func TestSpecOfEveryField(t *testing.T) {
	plain := Box{Name: "tool"}.Spec()
	seen := map[string]string{}
	for i := range reflect.TypeFor[Box]().NumField() {
		if reflect.TypeFor[Box]().Field(i).Name == "Check" {
			continue // tells when a box is good, not what it is: TestSpecWithoutCheck
		}
		b := Box{Name: "tool"}
		field := reflect.ValueOf(&b).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("it's $x, *")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Slice:
			field.Set(reflect.ValueOf([]string{"a b", "c"}))
		default:
			t.Fatalf("a field of kind %s", field.Kind())
		}
		name := reflect.TypeFor[Box]().Field(i).Name
		got := b.Spec()
		if name == "Check" {
			if got != plain {
				t.Errorf("another check makes it another box: %q", got)
			}
			continue
		}
		if r, bad := Unsafe(got); bad || strings.ContainsAny(got, ",%") {
			t.Errorf("%s: %q holds %q", name, got, r)
		}
		changed, ok := SpecChanges(plain, got)
		if !ok || len(changed) != 1 {
			t.Fatalf("%s: changes %q, %v", name, changed, ok)
		}
		if back, _ := SpecChanges(got, plain); !slices.Equal(back, changed) {
			t.Errorf("%s: changes %q there, %q back", name, changed, back)
		}
		if other, taken := seen[changed[0]]; taken {
			t.Errorf("%s and %s are both %s", name, other, changed[0])
		}
		seen[changed[0]] = name
	}
}

func TestSpecWithoutCheck(t *testing.T) {
	plain := Box{Name: "tool"}
	checked := plain
	checked.Check = []string{"git", "--version"}
	if plain.Spec() != checked.Spec() {
		t.Error("another check makes another box")
	}
}

func TestSpecOfLists(t *testing.T) {
	tests := []struct {
		name string
		a, b Box
		same bool
	}{
		{"order", Box{Volumes: []string{"a", "b"}}, Box{Volumes: []string{"b", "a"}}, false},
		{"where one ends", Box{InitHooks: []string{"a", "b"}}, Box{InitHooks: []string{"ab"}}, false},
		{"quotes", Box{InitHooks: []string{`a""b`}}, Box{InitHooks: []string{"a", "b"}}, false},
		{"an empty one", Box{Volumes: []string{}}, Box{}, true},
		{"which list", Box{ExportedBins: []string{"/a"}}, Box{ExportedApps: []string{"/a"}}, false},
	}
	for _, test := range tests {
		if got := test.a.Spec() == test.b.Spec(); got != test.same {
			t.Errorf("%s: same %v", test.name, got)
		}
	}
}

func TestSpecChangesOfForeignTexts(t *testing.T) {
	wanted := Box{Name: "tool", Home: "/h"}.Spec()
	for _, old := range []string{"", "0123456789abcdef", "name:", ":x", "name:1a/", "name:1a//home:2b"} {
		if changed, ok := SpecChanges(old, wanted); ok || changed != nil {
			t.Errorf("%q: %q, %v", old, changed, ok)
		}
	}
	// A later version may have a key that this one does not know.
	if changed, ok := SpecChanges(wanted+"/new_key:00000000", wanted); !ok || !slices.Equal(changed, []string{"new_key"}) {
		t.Errorf("%q, %v", changed, ok)
	}
	if changed, ok := SpecChanges(wanted, wanted); !ok || changed != nil {
		t.Errorf("%q, %v", changed, ok)
	}
}
