#!/data/data/com.termux/files/usr/bin/sh
# Installs the agent on an Android phone under Termux (from F-Droid), and starts it at boot.
#   sh termux-install.sh http://SERVER:8000
# Native parts come from Termux' own packages; everything from pip is pure Python.
set -eu
server=${1:?usage: sh termux-install.sh http://SERVER:8000}

pkg install -y python python-numpy python-onnxruntime termux-api
# The system's numpy and onnxruntime must be visible, hence no isolated environment.
python -m venv --system-site-packages ~/edgenas
~/edgenas/bin/pip install edgenas-agent
~/edgenas/bin/profiler-agent enrol "$server"
~/edgenas/bin/profiler-agent selftest

mkdir -p ~/.termux/boot
cat > ~/.termux/boot/edgenas-agent <<'BOOT'
#!/data/data/com.termux/files/usr/bin/sh
termux-wake-lock
exec ~/edgenas/bin/profiler-agent run
BOOT
chmod +x ~/.termux/boot/edgenas-agent
echo "Starts at boot once the Termux:Boot app has been opened; start it now with:"
echo "  termux-wake-lock; ~/edgenas/bin/profiler-agent run"
