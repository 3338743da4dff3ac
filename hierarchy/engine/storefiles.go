package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/klmcwhirter/ocisi/hierarchy"
	"github.com/klmcwhirter/ocisi/internal/input"
)

// podmanStore is what the files of podman's store say: those of containers/storage
// (images.go, layers.go). They are replaced, never changed, so they can be read
// at any time.
type podmanStore struct {
	root   string
	images map[string]storedImage // by ID
	layers map[string]storedLayer // by ID
}

type storedImage struct {
	ID     string
	Layer  string   // the uppermost
	Mapped []string `json:"mapped-layers"` // copies of it for other maps of users
}

type storedLayer struct {
	ID       string
	Parent   string
	DiffID   string    `json:"diff-digest"`
	DiffSize int64     `json:"diff-size"` // bytes of its tar
	UIDMap   []idRange `json:"uidmap"`
}

// readStore reads which images and layers a store has. It returns ErrUnknown where
// it cannot.
func readStore(root string) (podmanStore, error) {
	var images []storedImage
	var layers []storedLayer
	if read(root, "overlay-images/images.json", &images) != nil || read(root, "overlay-layers/layers.json", &layers) != nil {
		return podmanStore{}, ErrUnknown
	}
	s := podmanStore{root, make(map[string]storedImage), make(map[string]storedLayer)}
	for _, im := range images {
		s.images[fullID(im.ID)] = im
	}
	for _, l := range layers {
		s.layers[l.ID] = l
	}
	return s, nil
}

// maxStoreFile is the largest file of podman's storage that is read, in bytes.
const maxStoreFile = 256 << 20

func read(root, name string, into any) error {
	data, err := input.ReadPath(filepath.Join(root, name), maxStoreFile)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// chain returns the layers of an image, from the base up; none when the store
// does not have all of them.
func (s podmanStore) chain(imageID string) (chain []storedLayer) {
	for id := s.images[imageID].Layer; id != ""; {
		l, ok := s.layers[id]
		if !ok || len(chain) > len(s.layers) {
			return nil
		}
		chain, id = append(chain, l), l.Parent
	}
	slices.Reverse(chain)
	return chain
}

func (s podmanStore) folder(l storedLayer) string {
	return filepath.Join(s.root, "overlay", l.ID, "diff")
}

// config returns the config of an image. Its digest is the image's ID.
func (s podmanStore) config(imageID string) (config ocispec.Image, err error) {
	name := "=" + base64.StdEncoding.EncodeToString([]byte(imageID))
	data, err := input.ReadPath(filepath.Join(s.root, "overlay-images", strings.TrimPrefix(imageID, "sha256:"), name), maxStoreFile)
	if err != nil {
		return config, err
	}
	if sum := sha256.Sum256(data); imageID != "sha256:"+hex.EncodeToString(sum[:]) {
		return config, fmt.Errorf("the store has another config for %s", imageID)
	}
	return config, json.Unmarshal(data, &config)
}

// pieces returns what the store knows of an image's layers.
func (s podmanStore) pieces(imageID string) (pieces, error) {
	config, err := s.config(imageID)
	if err != nil {
		return pieces{}, err
	}
	p := pieces{taken: []int64{}}
	for _, l := range s.chain(imageID) {
		p.diffIDs = append(p.diffIDs, l.DiffID)
		p.folders = append(p.folders, s.folder(l))
		p.taken = append(p.taken, l.DiffSize)
	}
	layer := 0
	for _, h := range config.History {
		p.history = append(p.history, entry{by: createdBy(h.CreatedBy)})
		p.layer = append(p.layer, !h.EmptyLayer)
		if !h.EmptyLayer {
			layer++
		}
	}
	if layer != len(p.diffIDs) { // nobody says which of them made what
		p.history, p.layer = nil, nil
	}
	if !slices.EqualFunc(p.diffIDs, config.RootFS.DiffIDs, func(a string, b digest.Digest) bool { return a == b.String() }) {
		return pieces{}, errors.New("the store has other layers for " + imageID)
	}
	return p, nil
}

// store reads the files of the store that holds an image. It returns ErrUnknown
// where there are none, or somewhere else.
func (e *Engine) store(ctx context.Context, ref string) (podmanStore, error) {
	in, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return podmanStore{}, err
	}
	folders := layerFolders(in.GraphDriver.Data, len(in.RootFS.Layers))
	if len(folders) == 0 {
		return podmanStore{}, ErrUnknown
	}
	return readStore(storeRoot(folders[len(folders)-1]))
}

// fromStore sets the pieces of images that the store's files tell of, a hundred
// times as fast as podman's API. What an image is, is asked of podman: so another
// machine's is not taken for one here.
func (e *Engine) fromStore(ctx context.Context, refs []string, ps []pieces) {
	if len(refs) == 0 || !e.differs.ownStore {
		return
	}
	answer := make(chan map[string]string, 1)
	go func() { answer <- e.idsOf(ctx, refs) }() // takes longest where it is a list
	store, err := e.store(ctx, refs[0])
	ids := <-answer
	if err != nil {
		return
	}
	for i, ref := range refs {
		if id := ids[ref]; id != "" {
			if ps[i], err = store.pieces(id); err != nil {
				e.log.DebugContext(ctx, "reading podman's store", "ref", ref, "err", err)
			}
		}
	}
}

// idsOf returns the IDs of images by what they are called, as far as they are
// there.
func (e *Engine) idsOf(ctx context.Context, refs []string) map[string]string {
	ids := make(map[string]string)
	var names []string
	for _, ref := range refs {
		if strings.HasPrefix(ref, "sha256:") {
			ids[ref] = ref
		} else {
			names = append(names, ref)
		}
	}
	var images []hierarchy.StoredImage
	switch {
	case len(names) == 0:
	case len(names) <= few:
		images, _ = e.inspectAll(ctx, names)
	default:
		images, _ = e.list(ctx, nil)
	}
	for _, im := range images {
		for _, name := range slices.Concat(im.Refs, im.Digests) {
			ids[name] = im.ID
		}
	}
	return ids
}
