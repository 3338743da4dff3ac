package launcher

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy"
)

// Every launcher contains the path that it was written for and a checksum of the
// rest of its content. So a copy, and an edited file, can be told from what ocisi
// wrote, without a database. See docs/decisions/0035-launcher-checksums.md.

// checksum returns the checksum of a content, with the name of the algorithm.
func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Ours reports whether the file is what ocisi wrote, where ocisi wrote it. Only
// such a file may be replaced or removed.
func (f Found) Ours() bool { return f.By == Ocisi && !f.Edited && f.CopyOf == "" }

// verify sets Edited and CopyOf by what the content proves.
func (f *Found) verify(intact bool, writtenFor string) {
	f.Edited = !intact
	if writtenFor != f.Path {
		f.CopyOf = writtenFor
	}
}

// locate clears CopyOf when the path that a launcher was written for is another
// name of its own: /home and /var/home may be one folder.
func (f *Found) locate(files fs.FS) {
	if path.Base(f.CopyOf) == path.Base(f.Path) && same(files, filepath.Dir(f.CopyOf), filepath.Dir(f.Path)) {
		f.CopyOf = ""
	}
}

// The checksum of a script is in a comment of this prefix.
const checksumPrefix = "# checksum: "

// sealScript adds the line with the checksum to a script, below its owner.
func sealScript(text string) string {
	line := checksumPrefix + checksum([]byte(text)) + "\n"
	at := strings.Index(text, "\n"+ownerPrefix) + 1
	at += strings.IndexByte(text[at:], '\n') + 1
	return text[:at] + line + text[at:]
}

// verifyScript verifies a script of ocisi by its owner line's values.
func (f *Found) verifyScript(text string, values map[string]string) {
	if before, rest, ok := strings.Cut(text, "\n"+checksumPrefix); ok {
		_, after, _ := strings.Cut(rest, "\n")
		f.verify(sealScript(before+"\n"+after) == text, values["path"])
		return
	}
	// Written before there were checksums: compare with what that version wrote.
	self, home := shellValue(text, "\nself="), shellValue(text, ` || HOME=`)
	s := script{owner: f.Owner, home: home, self: self, what: f.What, unsealed: true}
	f.verify(text == string(s.text()), self)
}

// shellValue returns the value of the first assignment that begins with a prefix,
// as quote wrote it, or "".
func shellValue(text, prefix string) string {
	_, rest, _ := strings.Cut(text, prefix)
	line, _, _ := strings.Cut(rest, "\n")
	value, ok := strings.CutPrefix(line, "'")
	value, end := strings.CutSuffix(value, "'")
	if !ok || !end {
		return ""
	}
	return strings.ReplaceAll(value, `'\''`, "'")
}

// The keys of desktop files for what a launcher proves.
const (
	checksumKey = own + "Checksum"
	pathKey     = own + "Path"
)

// verifyDesktop verifies a desktop file of ocisi.
func (f *Found) verifyDesktop(lines []desktopLine, keys map[string]string) {
	if keys[checksumKey] == "" && keys[pathKey] == "" {
		f.verify(keys[own+"Format"] == unsealedFormat && f.unsealedDesktop(lines), f.Path)
		return
	}
	i := slices.IndexFunc(lines, func(l desktopLine) bool { return l.group == desktopGroup && l.key == checksumKey })
	sealed := i >= 0 && sealDesktop(slices.Concat(lines[:i], lines[i+1:])) == join(lines)
	f.verify(sealed, unescape(keys[pathKey]))
}

// sealDesktop adds the line with the checksum to a desktop file, below the header
// of its main group.
func sealDesktop(lines []desktopLine) string {
	header := slices.IndexFunc(lines, func(l desktopLine) bool { return l.header && l.group == desktopGroup })
	line := checksumKey + "=" + checksum([]byte(join(lines))) + lines[header].end
	return join(lines[:header+1]) + line + join(lines[header+1:])
}

// join returns a desktop file of lines.
func join(lines []desktopLine) string {
	var out strings.Builder
	for _, l := range lines {
		out.WriteString(l.text + l.end)
	}
	return out.String()
}

// unsealedFormat is the last format of desktop files that had no checksum.
const unsealedFormat = "1"

// unsealedDesktop reports whether a desktop file without a checksum is one that
// ocisi wrote, as far as its own keys tell: lines that came from the box cannot
// be verified.
func (f *Found) unsealedDesktop(lines []desktopLine) bool {
	suffix := escape("(on " + f.Owner.Box + ")")
	entrance := "/ocisi/enter/" + plainName(f.Owner.Box)
	for _, l := range lines {
		if !l.changes() || l.key == "" {
			continue
		}
		fine := true
		switch base := l.base(); base {
		case "Exec":
			words := execWords(l.value)
			fine = len(words) > 1 && strings.HasSuffix(strings.ReplaceAll(words[0], "%%", "%"), entrance)
		case "Name":
			fine = strings.HasSuffix(l.value, " "+suffix)
		case "TryExec", "DBusActivatable", "Path":
			fine = false
		}
		if !fine {
			return false
		}
	}
	return strings.HasPrefix(path.Base(f.Path), plainName(f.Owner.Box)+"-")
}

// pngEnd is the last chunk of every PNG file.
const pngEnd = "\x00\x00\x00\x00IEND\xaeB`\x82"

// pngChunk begins the chunk of a PNG file with the mark, after its length.
const pngChunk = "tEXtocisi\x00"

// iconMark is the mark in an icon that is a text. Only a mark at the end counts.
var iconMark = regexp.MustCompile(`\n(?:<!--|/\*) ocisi: (path=\S* checksum=\S*) (?:-->|\*/)\n$`)

// sealIcon returns an icon with a mark: a text chunk of a PNG, or a comment in an
// SVG or XPM. False means that the file cannot have one.
func sealIcon(at string, data []byte) ([]byte, bool) {
	mark := "path=" + strings.NewReplacer("-", "%2D", "*", "%2A").Replace(hierarchy.LabelValue(at)) + " checksum=" + checksum(data)
	switch strings.ToLower(path.Ext(at)) {
	case ".png":
		body, ok := bytes.CutSuffix(data, []byte(pngEnd))
		if !ok || !bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) {
			return data, false
		}
		chunk := []byte(pngChunk + mark)
		out := binary.BigEndian.AppendUint32(bytes.Clone(body), uint32(len(chunk)-len("tEXt"))) //nolint:gosec // a path is short
		out = append(out, chunk...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
		return append(out, pngEnd...), true
	case ".svg":
		if bytes.Contains(data, []byte("<svg")) && bytes.IndexByte(data, 0) < 0 { // not UTF-16
			return append(bytes.Clone(data), "\n<!-- ocisi: "+mark+" -->\n"...), true
		}
	case ".xpm":
		if bytes.Contains(data, []byte("XPM")) {
			return append(bytes.Clone(data), "\n/* ocisi: "+mark+" */\n"...), true
		}
	}
	return data, false
}

// unsealIcon returns an icon without its mark, and the mark. Without a mark it is
// "".
func unsealIcon(data []byte) (icon []byte, mark string) {
	if m := iconMark.FindSubmatchIndex(data); m != nil {
		return data[:m[0]], string(data[m[2]:m[3]])
	}
	body, ok := bytes.CutSuffix(data, []byte(pngEnd))
	at := bytes.LastIndex(body, []byte(pngChunk))
	if !ok || at < 4 || len(body)-at < len(pngChunk)+4 {
		return data, ""
	}
	chunk := body[at : len(body)-4]
	if binary.BigEndian.Uint32(body[at-4:at]) != uint32(len(chunk)-len("tEXt")) { //nolint:gosec // of a file in memory
		return data, ""
	}
	return append(bytes.Clone(body[:at-4]), pngEnd...), string(chunk[len(pngChunk):])
}

// verifyIcon verifies an icon. One without a mark counts as written by an older
// ocisi when the desktop file that it belongs to does, or none does.
func (f *Found) verifyIcon(data []byte, sealed bool) {
	icon, mark := unsealIcon(data)
	if mark == "" {
		_, possible := sealIcon(f.Path, data)
		f.verify(!sealed || !possible, f.Path)
		return
	}
	at := decode(mark)["path"]
	again, _ := sealIcon(at, icon)
	f.verify(bytes.Equal(again, data), at)
}

// decode returns the values of an owner line of a script, or of an icon's mark.
func decode(line string) map[string]string {
	values := map[string]string{}
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		if plain, err := url.PathUnescape(value); err == nil {
			values[key] = plain
		}
	}
	return values
}
