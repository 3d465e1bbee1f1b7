#!/bin/sh
# Runs the trial on this machine. Prints one JSON, which it also leaves in gpu-trial.json next to this file; progress goes to
# stderr. Takes at most 20 minutes, and no network. `--minutes N` and `--shapes NAME,..` make it shorter.
set -u
cd "$(dirname "$0")" || exit 1
here=$(pwd)
PATH=$PATH:/usr/sbin:/sbin

# The machine's own libraries come first, because its driver may need newer ones than are packed.
known=$(ldconfig -p 2>/dev/null)
rm -rf use && mkdir -p use || exit 1
for file in lib/*; do
  name=${file##*/}
  case $known in
    *"$name "*) ;;
    *) ln -s "$here/$file" "use/$name" ;;
  esac
done
export LD_LIBRARY_PATH="$here/use${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# Containers often have NVIDIA's driver without the manifest by which the loader finds it.
if [ -z "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]; then
  found=
  for folder in /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d; do
    ls "$folder"/*.json >/dev/null 2>&1 && found=yes
  done
  if [ -z "$found" ]; then
    manifest=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
    if [ ! -e "$manifest" ]; then
      manifest=$here/use/nvidia_icd.json
      cat >"$manifest" <<'END'
{ "file_format_version": "1.0.0", "ICD": { "library_path": "libGLX_nvidia.so.0", "api_version": "1.3.0" } }
END
    fi
    # Loaders before 1.3.207 know the second name only.
    export VK_DRIVER_FILES="$manifest" VK_ICD_FILENAMES="$manifest"
  fi
fi

exec ./bin/xtask gpu-trial --unpacked "$here" "$@"
