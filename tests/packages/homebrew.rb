# frozen_string_literal: true

# Loads Homebrew's formula and cask with as much of its language as they use, does what they say into
# a folder, and runs the formula's own test. What they use that Homebrew does not have is not seen here.
#
# usage: ruby homebrew.rb FOLDER PROGRAM VERSION REPOSITORY SOURCE_SHA256 ZIP_SHA256 TREE

require "fileutils"
require "json"
require "open3"
require "pathname"
require "socket"
require "tmpdir"

FOLDER, PROGRAM, VERSION, REPOSITORY, SOURCE_SUM, ZIP_SUM, TREE = ARGV
ROOT = Pathname(Dir.mktmpdir)
at_exit { FileUtils.rm_rf(ROOT) }

def assert(what, holds)
  abort "not so: #{what}" unless holds
  puts "so it is: #{what}"
end

def assert_equal(wanted, got)
  assert "#{got.inspect} is #{wanted.inspect}", wanted == got
end

# Pathname has these in Homebrew.
class Pathname
  def install(*files)
    mkpath
    files.flatten.each { |file| FileUtils.cp(file.to_s, self) }
  end
end

# The words of a formula.
class Formula
  SAID = {}
  class << self
    %i[desc homepage url sha256 license].each do |word|
      define_method(word) { |value| SAID[word] = value }
    end

    def depends_on(what)
      (SAID[:depends_on] ||= []) << what
    end

    def service(&block)
      SAID[:service] = block
    end

    def test(&block)
      define_method(:run_test, &block)
    end
  end

  attr_reader :completed

  def prefix = ROOT/"cellar"
  def bin = prefix/"bin"
  def opt_bin = Pathname("/opt/homebrew/opt/freeport/bin")
  def var = Pathname("/opt/homebrew/var")
  def man1 = prefix/"share/man/man1"
  def buildpath = ROOT/"build"
  def testpath = ROOT/"test"
  def version = VERSION
  def std_cargo_args = ["--jobs", "2", "--locked", "--root=#{prefix}", "--path=."]

  def system(*command)
    words = command.map(&:to_s)
    if words.first == "cargo"
      # It is built already.
      assert_equal ["cargo", "install", *std_cargo_args], words
      bin.mkpath
      FileUtils.ln_s(PROGRAM, bin/"freeport")
    else
      Kernel.system(*words) or abort "failed: #{words.inspect}"
    end
  end

  def generate_completions_from_executable(*command, shells:)
    @completed = shells.to_h do |shell|
      text, status = Open3.capture2(*command.map(&:to_s), shell.to_s)
      abort "no completions for #{shell}" unless status.success?
      [shell, text]
    end
  end

  def shell_output(command, status = 0)
    text = `#{command} 2>&1`
    abort "#{command}: status #{$?.exitstatus}, not #{status}: #{text}" if $?.exitstatus != status
    text
  end

  def assert_match(part, text)
    assert "#{part} is in #{text.inspect}", text.include?(part)
  end
end

# The words of a formula's service.
class Service
  attr_reader :said

  def initialize(formula, &block)
    @formula = formula
    @said = {}
    instance_eval(&block)
  end

  def opt_bin = @formula.opt_bin
  def var = @formula.var

  %i[run keep_alive process_type log_path error_log_path].each do |word|
    define_method(word) { |value| @said[word] = value }
  end
end

load "#{FOLDER}/freeport.rb"
said = Formula::SAID
assert_equal REPOSITORY, said[:homepage]
assert_equal "#{REPOSITORY}/releases/download/v#{VERSION}/freeport-#{VERSION}-source.tar.gz", said[:url]
assert_equal SOURCE_SUM, said[:sha256]
assert_equal [{ "rust" => :build }], said[:depends_on]
# `brew audit` wants these.
assert "the description is short and has no full stop", said[:desc].size < 80 && !said[:desc].end_with?(".")
formula = Freeport.new
[formula.buildpath, formula.testpath].each(&:mkpath)
formula.install
pages = formula.man1.children.map { |page| page.basename.to_s }
assert "there is a page of the program and of its commands", (%w[freeport.1 freeport-run.1 freeport-kill.1] - pages).empty?
formula.completed.each { |shell, text| assert "completions for #{shell}", text.include?("freeport") }
service = Service.new(formula, &said[:service]).said
assert_equal [Pathname("/opt/homebrew/opt/freeport/bin/freeport"), "app", "--headless"], service[:run]
formula.run_test

# The words of a cask.
class Cask
  attr_reader :said

  def initialize(&block)
    @said = Hash.new { |all, word| all[word] = [] }
    instance_eval(&block)
  end

  def appdir = "/Applications"
  def staged_path = ROOT/"staged"

  %i[sha256 url name desc homepage depends_on app binary manpage bash_completion zsh_completion
     fish_completion uninstall zap].each do |word|
    define_method(word) { |value| @said[word] << value }
  end

  def version(value = nil)
    return @said[:version].first if value.nil?

    @said[:version] << value
  end
end

CASKS = {}
def cask(token, &block)
  CASKS[token] = Cask.new(&block).said
end

# What the zip has, so that what the cask names can be looked for.
abort "no bundle" unless system("#{TREE}/macos/bundle.sh", PROGRAM, "#{ROOT}/staged/Freeport.app", out: File::NULL)
load "#{FOLDER}/freeport-app.rb"
said = CASKS.fetch("freeport-app")
assert_equal [VERSION], said[:version]
assert_equal [ZIP_SUM], said[:sha256]
assert_equal ["#{REPOSITORY}/releases/download/v#{VERSION}/freeport-#{VERSION}-macos.zip"], said[:url]
%i[binary manpage bash_completion zsh_completion fish_completion].each do |word|
  assert "the cask has a #{word}", said[word].any?
  said[word].each do |path|
    there = path.sub("/Applications", "#{ROOT}/staged")
    abort "the bundle has no #{path}" unless File.file?(there)
  end
end
pages = Dir["#{ROOT}/staged/Freeport.app/Contents/Resources/man1/*"].size
assert_equal pages, said[:manpage].size

# The folders and the label are those of the source.
sources = %w[paths autostart].map { |name| File.read("#{TREE}/src/platform/macos/#{name}.rs") }
label = sources[1][/^const NAME: &str = "(.*)";/, 1]
data = sources[0][%r{join\("(Library/Application Support/.*?)"\)}, 1]
identifier = File.read("#{TREE}/macos/Info.plist")[%r{<key>CFBundleIdentifier</key>\s*<string>(.*?)</string>}, 1]
assert_equal [{ launchctl: label, quit: identifier }], said[:uninstall]
trash = said[:zap].first.fetch(:trash)
assert_equal ["~/#{data}", "~/Library/LaunchAgents/#{label}.plist", "~/Library/Preferences/#{identifier}.plist"], trash
oldest = File.read("#{TREE}/macos/Info.plist")[%r{<key>LSMinimumSystemVersion</key>\s*<string>(.*?)</string>}, 1]
# The names that Homebrew has for versions; here is the one that is used.
assert_equal({ macos: { "11.0" => ">= :big_sur" }.fetch(oldest) }, said[:depends_on].first)
