# The formula of klmcwhirter/homebrew-tap. packaging/release.sh fills in the
# version and the sum; the tap gets what it wrote, never this file.
class Ocisi < Formula
  desc "One hierarchy of OCI images for distroboxes and dev containers"
  homepage "https://github.com/klmcwhirter/ocisi"
  url "https://github.com/klmcwhirter/ocisi/releases/download/v@VERSION@/ocisi-@VERSION@.tar.gz"
  sha256 "@SHA256@"
  license "Apache-2.0"

  livecheck do
    url :stable
    strategy :github_latest
  end

  depends_on "go" => :build
  depends_on :linux

  # Neither podman nor distrobox: brew's would stand before the system's.

  def install
    ENV["CGO_ENABLED"] = "0"
    ldflags = "-s -w -X main.version=v#{version}"
    system "go", "build", "-buildvcs=false", *std_go_args(ldflags:), "./cmd/ocisi"
    system "go", "run", "-trimpath", "./cmd/gendocs", "-dir", buildpath/"generated",
           "-version", "v#{version}", "-date", time.strftime("%F")

    generate_completions_from_executable(bin/"ocisi", shell_parameter_format: :cobra)
    man1.install Dir["generated/man/*.1"]
    (pkgshare/"just").install "justfiles/ocisi.just"
    (pkgshare/"systemd/user").install Dir["packaging/systemd/user/*.{service,timer}"]
  end

  def caveats
    <<~EOS
      Write the default images, build them and make the boxes:
        ocisi setup
      podman or docker, and distrobox, come with the system, not from brew.
    EOS
  end

  test do
    assert_equal "ocisi v#{version}\n", shell_output("#{bin}/ocisi version")

    # Needs no engine, no network and no home but its own.
    ENV["XDG_CONFIG_HOME"] = (testpath/"config").to_s
    ENV["XDG_STATE_HOME"] = (testpath/"state").to_s
    system bin/"ocisi", "setup", "--no-build", "--yes"
    assert_path_exists testpath/"config/ocisi/ocisi.yaml"
    assert_match(/^keep +.*ocisi\.yaml$/, shell_output("#{bin}/ocisi setup --no-build --yes"))
  end
end
