// The printed page is the page: what is not for paper is hidden by the style sheet.
document.getElementById("print").addEventListener("click", () => window.print());
