package hierarchy

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Schema returns the JSON schema of a config file in either form, for editors:
// draft 7, which is the newest that yaml-language-server knows whole
// (https://json-schema.org/draft-07). What it refuses, ParseConfig does; the
// other way round that is so for keys, types and the small grammars, and not for
// what depends on several values, as names that are there twice.
func Schema() []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(configSchema()) // text, numbers and maps of them: it cannot fail
	return out.Bytes()
}

// schema is a part of JSON schema.
type schema map[string]any

func configSchema() schema {
	images := schema{
		"description": "The images, in any order: what is built before what is read from the Containerfiles",
		"type":        "array", "items": schema{"$ref": "#/definitions/image"},
	}
	return schema{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "ocisi.yaml",
		"description": "The images that ocisi builds, and the boxes that it makes from them",
		"anyOf":       []schema{schemaOf(rootKeys(images), "images"), images},
		"definitions": schema{"image": schemaOf(imageKeys(), "name", "path", "enabled"), "box": schemaOf(boxKeys()), "devcontainer": schemaOf(wishKeys())},
	}
}

// schemaOf returns the schema of a mapping with these keys and no others.
func schemaOf(keys map[string]schema, required ...string) schema {
	s := schema{"type": "object", "properties": keys, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func rootKeys(images schema) map[string]schema {
	return map[string]schema{
		"images":        images,
		"manager":       managerKey("Builds and runs the images that name none. Without it: $DBX_CONTAINER_MANAGER, else docker where it is installed, else podman"),
		"jobs":          numberKey(1, "How many images and boxes are worked on at once"),
		"max_age":       ageKey("How old the steps of an image may be when 'ocisi recreate' looks at it"),
		"keep":          numberKey(0, "How many former boxes stay for 'ocisi rollback', of each box"),
		"start_timeout": timeKey(`^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`, "How long the first start of a box may take: a number with s, m or h"),
		"bases":         textsByName("What to use in place of a base: left as the Containerfile has it, right what to take"),
	}
}

func imageKeys() map[string]schema {
	return map[string]schema{
		"name":      patternKey(nameGrammar.String(), "The image. It is built from Containerfile.NAME; one whose name ends in -dx from Containerfile.img-dx"),
		"path":      textKey("The folder of the Containerfile, relative to this file"),
		"enabled":   flagKey("Whether it takes part"),
		"tag":       textKey("Any tag; 3.10 stays 3.10"),
		"manager":   managersKey("Builds and runs this image; of a list, the first, and the others get copies"),
		"distrobox": textKey("The name of the box; without it, the image's name"),
		"assemble":  flagKey("Whether a box is made from it; without it, when the name ends in -dx"),
		"args":      textsByName("Build arguments, for the ARG lines of the Containerfile"),
		"max_age":   ageKey("How old its steps may be when 'ocisi recreate' looks at it"),
		"keep":      numberKey(0, "How many former boxes stay for 'ocisi rollback'"),
		"box":       {"$ref": "#/definitions/box"},

		"devcontainer": {"$ref": "#/definitions/devcontainer"},
	}
}

// wishKeys are the keys below devcontainer:.
func wishKeys() map[string]schema {
	env := textsByName("Environment of the container")
	env["propertyNames"] = schema{"pattern": variableGrammar.String(), "not": schema{"enum": ownVariables()}}
	extensions := listKey("Extensions of VS Code, PUBLISHER.NAME; one with a - in front, from an image below, is not wanted")
	extensions["items"] = schema{"type": text(), "pattern": extensionGrammar.String()}
	mounts := listKey("SOURCE:TARGET or SOURCE:TARGET:ro")
	mounts["items"] = schema{"type": "string", "pattern": `^(/|~|\$HOME|\$\{HOME\})[^:,]*:[^:,]+(:ro)?$`}
	return map[string]schema{
		"extensions": extensions,
		"settings":   {"description": "Settings of VS Code", "type": "object"},
		"env":        env,
		"mounts":     mounts,
	}
}

func boxKeys() map[string]schema {
	return map[string]schema{
		"home":                textKey("A home of its own instead of yours. Never removed"),
		"hostname":            textKey("Its host name"),
		"init":                flagKey("systemd inside; the image must have it"),
		"nvidia":              flagKey("The host's nvidia drivers inside"),
		"root":                flagKey("A box of root's podman; under docker it changes nothing"),
		"start_now":           flagKey("Of no consequence: every new box is started once"),
		"volumes":             listKey("SOURCE:TARGET or SOURCE:TARGET:MODE"),
		"exported_bins":       listKey("Programs of the box, to be typed on the host: absolute paths in the box"),
		"exported_apps":       listKey("Desktop applications of the box, to have on the host"),
		"exported_bins_path":  textKey("Where exported programs go; without it, ~/.local/bin"),
		"additional_packages": listKey("Packages that distrobox installs at the first start. Better in an image"),
		"init_hooks":          listKey("Shell lines that run in the box, as root, at every start"),
		"additional_flags":    listKey("Flags for the engine's create"),
		"check":               textKey("A command that must succeed in a new box before it takes over"),
	}
}

// text is what ParseConfig takes for text: a number is, and stays as typed.
func text() []string { return []string{"string", "number"} }

func textKey(what string) schema { return schema{"description": what, "type": text()} }

func patternKey(pattern, what string) schema {
	return schema{"description": what, "type": text(), "pattern": pattern}
}

func timeKey(pattern, what string) schema {
	return schema{"description": what, "type": "string", "pattern": pattern}
}

func flagKey(what string) schema { return schema{"description": what, "type": "boolean"} }

func numberKey(least int, what string) schema {
	return schema{"description": what + ": a whole number from " + strconv.Itoa(least), "type": "integer", "minimum": least}
}

func ageKey(what string) schema {
	return timeKey(`^(0*[1-9][0-9]*[hdw]|never)$`, what+": a whole number with h, d or w, or never")
}

func managerKey(what string) schema {
	return schema{"description": what, "enum": []Manager{Docker, Podman}}
}

// managersKey is a manager, or several.
func managersKey(what string) schema {
	one := managerKey(what)
	return schema{"description": what, "anyOf": []schema{one, {"type": "array", "items": one, "minItems": 1, "uniqueItems": true}}}
}

func listKey(what string) schema {
	return schema{"description": what, "type": "array", "items": schema{"type": text()}}
}

func textsByName(what string) schema {
	return schema{"description": what, "type": "object", "additionalProperties": schema{"type": text()}}
}
