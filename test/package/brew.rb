# brew.rb FORMULA install SOURCE PREFIX, or FORMULA test FOLDER PREFIX: runs a block
# of the formula as Homebrew does, with as much of Homebrew's language as this
# formula speaks. Anything else is an error here.
require "open3"
require "pathname"
require "fileutils"

class Pathname
  # Copies files into this folder.
  def install(*files)
    files = files.flatten
    raise "nothing to install in #{self}" if files.empty?

    mkpath
    FileUtils.cp(files, self)
  end
end

class Formula
  class << self
    attr_reader :facts, :test_block

    # What a formula only states is kept, to be looked at.
    %i[desc homepage url sha256 license depends_on].each do |name|
      define_method(name) { |value| ((@facts ||= {})[name] ||= []) << value }
    end

    def livecheck; end

    def test(&block)
      @test_block = block
    end
  end

  attr_reader :buildpath, :testpath, :prefix

  def initialize(folder, prefix)
    @buildpath = @testpath = Pathname(folder)
    @prefix = Pathname(prefix)
  end

  def version = self.class.facts[:url].first[%r{/v([^/]+)/}, 1]
  def time = Time.now.utc
  def bin = prefix/"bin"
  def man1 = prefix/"share/man/man1"
  def pkgshare = prefix/"share/ocisi"

  def std_go_args(ldflags:) = ["-trimpath", "-o=#{bin/"ocisi"}", "-ldflags=#{ldflags}"]

  def system(*command)
    Kernel.system(*command.map(&:to_s)) || raise("#{command.join(" ")} failed")
  end

  def shell_output(command)
    out, status = Open3.capture2(command)
    raise "#{command} failed: #{out}" unless status.success?

    out
  end

  def generate_completions_from_executable(program, shell_parameter_format:)
    raise "format #{shell_parameter_format}" if shell_parameter_format != :cobra

    { "bash" => "etc/bash_completion.d/ocisi", "zsh" => "share/zsh/site-functions/_ocisi",
      "fish" => "share/fish/vendor_completions.d/ocisi.fish" }.each do |shell, file|
      script = shell_output("#{program} completion #{shell}")
      raise "no completion for #{shell}" unless script.include?("ocisi")

      (prefix/file).dirname.mkpath
      (prefix/file).write(script)
    end
  end

  def assert_equal(want, got)
    raise "wanted #{want.inspect}, got #{got.inspect}" if want != got
  end

  def assert_match(want, got)
    raise "wanted #{want.inspect}, got #{got.inspect}" unless want === got || got.match?(want)
  end

  def assert_path_exists(path)
    raise "#{path} is missing" unless Pathname(path).exist?
  end
end

formula, action, folder, prefix = ARGV
load File.expand_path(formula)
it = Ocisi.new(File.realpath(folder), File.realpath(prefix))
engines = Ocisi.facts[:depends_on].grep(/podman|docker|distrobox/)
raise "depends on #{engines}" unless engines.empty?

Dir.chdir(folder) do
  case action
  when "install" then it.install
  when "test" then it.instance_eval(&Ocisi.test_block)
  else raise "no action #{action}"
  end
end
raise "no caveats" unless it.caveats.include?("ocisi setup")
