// Fields that take their text from a file of the visitor.

import { element, t } from "./console.js";

/** Largest file that is read, bytes: forms may be 8 MiB, and JSON grows by half when it is sent as one. */
const FILE_BYTES_MAX = 5 * 1024 * 1024;

for (const place of document.querySelectorAll("[data-file-into]")) {
    const field = document.getElementById(place.dataset.fileInto);
    const said = element("p", { class: "error", role: "alert" });
    const input = element("input", { type: "file", id: `${field.id}-file` });
    input.addEventListener("change", async () => {
        const [file] = input.files;
        said.textContent = "";
        if (!file) return;
        if (file.size > FILE_BYTES_MAX) {
            said.textContent = t("The file is too large for this page.", "文件过大，无法在此页面使用。");
            return;
        }
        field.value = await file.text();
    });
    place.append(element("label", { class: "label", for: input.id }, place.dataset.label), input, said);
}
